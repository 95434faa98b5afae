"""Rate limiters: over all nodes, in one process, and the fallback from the first to the second."""
