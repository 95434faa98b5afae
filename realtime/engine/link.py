"""One connection with what belongs to it inside the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from realtime.engine.frames import BINARY, CLOSE, PONG, Outgoing
from realtime.engine.heartbeat import Heartbeat
from realtime.engine.inbound import Inbound
from realtime.engine.polling import PollingTransport
from realtime.engine.session import Connection
from realtime.errors import CloseReason

if TYPE_CHECKING:
    from realtime.engine.probe import Probe

_PING = Outgoing(b"2")


class Link:
    """Hears what the client says on a WebSocket, and is asked by the heartbeat.

    `polling` is None for a connection that began as a WebSocket. `poll` is the request that waits for packets;
    `posting` tells that one is being read; `probe` is a WebSocket that the client tries beside its polling.
    """

    __slots__ = (
        "connection",
        "ended",
        "heartbeat",
        "inbound",
        "poll",
        "polling",
        "posting",
        "probe",
    )

    def __init__(
        self, connection: Connection, inbound: Inbound, heartbeat: Heartbeat, polling: PollingTransport | None
    ) -> None:
        self.connection = connection
        self.inbound = inbound
        self.heartbeat = heartbeat
        self.polling = polling
        self.poll: web.Request | None = None
        self.posting = False
        self.probe: Probe | None = None
        self.ended = False

    def text(self, payload: bytes) -> None:
        kind = payload[:1]
        if kind == PONG:
            self.pong()
        else:
            # One of an unknown kind too: it closes the connection in its turn.
            self.inbound.take(kind, payload[1:])

    def binary(self, payload: bytes) -> None:
        self.inbound.take(BINARY, payload)

    def violated(self, reason: CloseReason) -> None:
        self.connection.close(reason)

    def left(self) -> None:
        if not self.connection.gone:
            self.heartbeat.forget(self)
            self.connection.hung_up()
            # After what it said before.
            self.inbound.take(CLOSE, b"")

    def pong(self) -> None:
        """Takes a sign of life."""
        if not self.connection.gone:
            self.heartbeat.hear(self)

    def ask(self) -> None:
        self.connection.write(_PING)

    @property
    def excused(self) -> bool:
        # A pong may be in what is not read because of what came before it.
        return self.inbound.holding or (self.posting and self.inbound.task is not None)

    def fall_silent(self) -> None:
        self.connection.lost("ping timeout")
