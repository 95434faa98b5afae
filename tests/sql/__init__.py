"""SQL as the product uses it, on a real PostgreSQL."""
