"""The composition root: what a process is made of."""
