"""Other servers that answer the same two events, for comparison. None of them uses the product's code."""
