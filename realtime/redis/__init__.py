"""Connections to Redis, Lua scripts, streams of Facts."""
