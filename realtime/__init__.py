"""Moves messages: declarations, rooms, backplane, limits, streams and the socket engine. No feature is named here."""
