"""RateLimit limits: over all nodes, in one process, and the fallback from the one to the other."""
