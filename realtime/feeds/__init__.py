"""Packed lists of ids in Redis."""
