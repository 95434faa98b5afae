"""Notifies the clients of a node that stops, hands their sessions over to another node, and disconnects them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from realtime.contract.connection_pushes import SERVER_DRAINING, ServerDraining
from realtime.contract.errors import CLOSE_DRAINING
from realtime.contract.wire import encode_model
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.server import SocketEngine
from realtime.handoff.session_migration import SessionMigration

RECONNECT_AFTER_MS = 1_000
HANDOFF_PART = 0.4
"""The part of the time that the handoff may take; the rest is for closing connections."""


async def drain(
    *,
    hub: Hub,
    namespaces: Sequence[str],
    migration: SessionMigration,
    recovery: Recovery,
    engines: Sequence[SocketEngine],
    deadline_s: float,
) -> None:
    """Sends `server:draining`, gives all sessions to another node where there is one, and closes all connections.

    New clients must be refused already. A client that reconnects before its connection is closed finds its session on
    the other node.
    """
    body = encode_model(ServerDraining(reconnect_after_ms=RECONNECT_AFTER_MS))
    for namespace in namespaces:
        push = EncodedPush(namespace, SERVER_DRAINING.name, body)
        for session in hub.sessions(namespace):
            session.take(push)
    await migration.hand_over(deadline_s=deadline_s * HANDOFF_PART)
    recovery.stop()
    close_within_s = deadline_s * (1 - HANDOFF_PART)
    await asyncio.gather(*(engine.close(CLOSE_DRAINING, deadline_s=close_within_s) for engine in engines))
