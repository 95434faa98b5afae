"""The page at `/docs`: the reference for client developers, made from what the features declare."""
