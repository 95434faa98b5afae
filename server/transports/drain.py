"""How a stopping node disconnects its clients: it tells them, hands their sessions over, closes their connections."""

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
"""Part of the deadline; the rest is for closing."""


async def drain(
    *,
    hub: Hub,
    namespaces: Sequence[str],
    migration: SessionMigration,
    recovery: Recovery,
    engines: Sequence[SocketEngine],
    deadline_s: float,
) -> None:
    """Tells all clients, hands their sessions over to another node where there is one, and closes all connections.

    Handshakes have to be refused already. Clients that reconnect before their connection is closed find their session
    on the other node.
    """
    body = orjson.dumps({"reconnect_after_ms": RECONNECT_AFTER_MS})
    for namespace in namespaces:
        push = EncodedPush(namespace, DRAINING_EVENT, body)
        for session in hub.sessions(namespace):
            session.deliver(push)
    await migration.hand_over(deadline_s=deadline_s * HAND_OVER_PART)
    recovery.stop()
    left_s = deadline_s * (1 - HAND_OVER_PART)
    await asyncio.gather(*(engine.close(CLOSE_DRAINING, deadline_s=left_s) for engine in engines))
