"""The home feed: posts of the users whom the caller follows, newest first, with new ones pushed live."""
