"""Conversations between two people: numbered messages, positions, and what was missed."""
