"""A connection for sessions that are kept for clients who were never on this node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.session.session import Connection


class _NoTransport:
    name: Literal["websocket"] = "websocket"

    unread_bytes = 0

    def watch(self, on_stalled: Callable[[], None]) -> None: ...

    def write(self, packet: Outgoing) -> None: ...

    def close(self, reason: CloseReason) -> None: ...

    def release(self) -> None: ...

    def hold(self) -> None: ...

    def go_on(self) -> None: ...

    def abort(self) -> None: ...


def closed_connection() -> Connection:
    """A connection that has ended; whatever is written to it is lost."""
    connection = Connection(
        id="",
        peer_address="",
        user_agent=None,
        transport=_NoTransport(),
        on_session_end=lambda _session, _why: None,
        on_end=lambda _connection: None,
    )
    connection.lost("transport close")
    return connection
