"""Sessions that move from node to node."""
