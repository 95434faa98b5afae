"""One connection with what belongs to it inside the engine."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from realtime.contract.errors import CloseReason
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import BINARY, CLOSE, PONG, Outgoing
from realtime.engine.session.session import Connection
from realtime.engine.timing.heartbeat import Heartbeat

_PING = Outgoing(b"2")


class PendingUpgrade(Protocol):
    """A WebSocket that a polling client tries; it is not its transport yet."""

    def give_up(self) -> None:
        """Closes the WebSocket; the client goes on polling."""


class ConnectionEntry:
    """Hears what the client says on a WebSocket, and is asked by the heartbeat.

    `polling` is None for a connection that began as a WebSocket. `poll` is the request that waits for packets;
    `posting` tells that one is being read; `probe` is a WebSocket that the client tries beside its polling.
    """

    __slots__ = (
        "connection",
        "ended",
        "heartbeat",
        "packet_handler",
        "poll",
        "polling",
        "posting",
        "probe",
    )

    def __init__(
        self,
        connection: Connection,
        packet_handler: PacketHandler,
        heartbeat: Heartbeat,
        polling: PollingTransport | None,
    ) -> None:
        self.connection = connection
        self.packet_handler = packet_handler
        self.heartbeat = heartbeat
        self.polling = polling
        self.poll: web.Request | None = None
        self.posting = False
        self.probe: PendingUpgrade | None = None
        self.ended = False

    def text(self, payload: bytes) -> None:
        kind = payload[:1]
        if kind == PONG:
            self.pong()
        else:
            # One of an unknown kind too: it closes the connection in its turn.
            self.packet_handler.take(kind, payload[1:])

    def binary(self, payload: bytes) -> None:
        self.packet_handler.take(BINARY, payload)

    def violated(self, reason: CloseReason) -> None:
        self.connection.close(reason)

    def left(self) -> None:
        if not self.connection.gone:
            self.heartbeat.forget(self)
            self.connection.hung_up()
            # After what it said before.
            self.packet_handler.take(CLOSE, b"")

    def pong(self) -> None:
        """Takes a sign of life."""
        if not self.connection.gone:
            self.heartbeat.hear(self)

    def ask(self) -> None:
        self.connection.write(_PING)

    @property
    def excused(self) -> bool:
        # A pong may be in what is not read because of what came before it.
        return self.packet_handler.holding or (self.posting and self.packet_handler.task is not None)

    def fall_silent(self) -> None:
        self.connection.lost("ping timeout")
