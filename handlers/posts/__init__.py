"""Posts and the likes they get."""
