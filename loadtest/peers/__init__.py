"""Other servers that answer the same two events, to compare with. None of them knows anything of the product."""
