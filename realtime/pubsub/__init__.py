"""Rooms and topics over all nodes: backplane, membership, fan-out, resync."""
