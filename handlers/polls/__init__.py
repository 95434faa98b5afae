"""Polls: posts that ask, and the votes on them."""
