"""Feeds, fan-out, mixed commands and likes of one post: Rookery alone, in a network with celebrities."""
