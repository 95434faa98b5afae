"""WebSocket: the upgrade, frames, reading and writing."""
