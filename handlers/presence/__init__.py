"""Presence: which users are online."""
