"""Rooms and topics over all nodes: backplane, membership, topic registry, fan-out, resync."""
