"""One connection with what belongs to it inside the engine."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from realtime.contract.errors import CloseReason
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import BINARY, CLOSE, PONG, Outgoing
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.engine.timing.heartbeat import Heartbeat

_PING = Outgoing(b"2")


class PendingUpgrade(Protocol):
    """A WebSocket that a polling client probes; it is not its transport yet."""

    def cancel(self) -> None:
        """Closes the WebSocket; the client goes on polling."""


class ConnectionEntry:
    """Receives what the client sends on a WebSocket, and is pinged by the heartbeat.

    `polling` is None for a connection that was opened as a WebSocket. `poll` is the request that waits for packets,
    `is_posting` is true while a POST of the client is read, `upgrade` is the WebSocket that it probes.
    """

    __slots__ = ("connection", "heartbeat", "is_posting", "packet_handler", "poll", "polling", "upgrade")

    def __init__(
        self,
        connection: Connection[Session],
        packet_handler: PacketHandler,
        heartbeat: Heartbeat,
        polling: PollingTransport | None,
    ) -> None:
        self.connection = connection
        self.packet_handler = packet_handler
        self.heartbeat = heartbeat
        self.polling = polling
        self.poll: web.Request | None = None
        self.is_posting = False
        self.upgrade: PendingUpgrade | None = None

    def on_text(self, payload: bytes) -> None:
        kind = payload[:1]
        if kind == PONG:
            self.pong_received()
        else:
            # A packet of an unknown kind too: it closes the connection in its turn.
            self.packet_handler.handle(kind, payload[1:])

    def on_binary(self, payload: bytes) -> None:
        self.packet_handler.handle(BINARY, payload)

    def on_violation(self, reason: CloseReason) -> None:
        self.connection.close(reason)

    def on_close(self) -> None:
        if self.connection.is_writable:
            self.heartbeat.remove(self)
            self.connection.note_client_close()
            # After the packets that the client sent before.
            self.packet_handler.handle(CLOSE, b"")

    def pong_received(self) -> None:
        if self.connection.is_writable:
            self.heartbeat.restart(self)

    def ping(self) -> None:
        self.connection.write(_PING)

    @property
    def pong_may_be_unread(self) -> bool:
        """True while packets of the client wait to be read: a pong may be among them."""
        return self.packet_handler.is_paused or (self.is_posting and self.packet_handler.task is not None)

    def ping_timed_out(self) -> None:
        self.connection.abort("ping timeout")
