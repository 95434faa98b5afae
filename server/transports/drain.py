"""How a node leaves its clients: told, handed over to another node, and closed bit by bit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.server import SocketEngine
from realtime.handoff.session_migration import SessionMigration

DRAINING_EVENT = "server:draining"
RECONNECT_AFTER_MS = 1_000
HAND_OVER_PART = 0.4
"""Of the time that there is; the rest is for closing."""


async def drain(
    *,
    hub: Hub,
    namespaces: Sequence[str],
    exchange: SessionMigration,
    recovery: Recovery,
    engines: Sequence[SocketEngine],
    deadline_s: float,
) -> None:
    """Tells all clients, gives their sessions to another node where there is one, and closes all sockets.

    Handshakes have to be refused already. Clients who come back before their socket is closed find their session on
    the other node.
    """
    body = orjson.dumps({"reconnect_after_ms": RECONNECT_AFTER_MS})
    for namespace in namespaces:
        push = EncodedPush(namespace, DRAINING_EVENT, body)
        for session in hub.sessions(namespace):
            session.take(push)
    await exchange.hand_over(deadline_s=deadline_s * HAND_OVER_PART)
    recovery.stop()
    left_s = deadline_s * (1 - HAND_OVER_PART)
    await asyncio.gather(*(engine.close(CLOSE_DRAINING, deadline_s=left_s) for engine in engines))
