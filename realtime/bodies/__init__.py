"""Encoded objects, kept in memory to be sent again."""
