"""Connections to Redis, Lua scripts, streams."""
