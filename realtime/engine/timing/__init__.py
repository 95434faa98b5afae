"""Timers shared by thousands of connections."""
