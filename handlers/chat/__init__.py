"""Conversations between two people: numbered messages, read and delivered positions, catching up."""
