"""Bookmarks: posts that a user wants to find again; nobody else learns of them."""
