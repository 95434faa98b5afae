"""Which users are online, and which sessions watch them."""
