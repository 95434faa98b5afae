"""Users: profiles, follows, blocks."""
