"""Open connections: how they begin, what their packets do, how they end."""
