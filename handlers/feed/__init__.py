"""The home feed: what the people one follows post, newest first, and told live while one looks at it."""
