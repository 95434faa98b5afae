"""Measures single mechanisms in this process, without the wire."""
