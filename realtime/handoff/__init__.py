"""Moves sessions between nodes."""
