"""Puts a running Rookery under load, over the wire only."""
