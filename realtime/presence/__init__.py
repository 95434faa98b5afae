"""Who is online, and who watches whom."""
