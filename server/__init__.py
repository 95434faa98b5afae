"""Composition root, the two transports, and the processes."""
