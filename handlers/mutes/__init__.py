"""Mutes: a user whose posts are not in the feed of who muted them."""
