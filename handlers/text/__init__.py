"""What a text holds: mentions, hashtags, links."""
