"""Logs of recent pushes, and where each session stands in them."""
