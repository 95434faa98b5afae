"""Connections, sessions, and what they ask of the server behind the engine."""
