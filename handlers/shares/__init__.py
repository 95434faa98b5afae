"""Shares: posts that show another post, plain or with a text of their own (quotes)."""
