"""Which rooms a session enters."""
