"""Words that hide: posts and comments of others with a phrase that the user does not want to read."""
