"""Handles the packets of a client in order, one at a time: from its transport to the policy, and the answers back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable
from types import CoroutineType

import orjson

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR, INTERNAL, UNAVAILABLE, CommandError
from realtime.contract.wire import answer_error
from realtime.engine.connections.connect_handler import ConnectHandler, log_failure
from realtime.engine.connections.eager_tasks import EagerTasks, Work
from realtime.engine.protocol import msgpack_packets
from realtime.engine.protocol.frames import BINARY, CLOSE, MESSAGE, MalformedPacket
from realtime.engine.protocol.packets import BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet, attach, decode_packet
from realtime.engine.session.connection import Connection
from realtime.engine.session.lifecycle import ConnectionState, SessionState
from realtime.engine.session.policy import SessionPolicy
from realtime.engine.session.session import Session

_log = logging.getLogger(__name__)

_PACKETS_PER_TURN = 32
_WAITING_MAX = 64
_WAITING_MAX_BYTES = 256 * 1024

# Looking a member up in an Enum is slow, and these are compared for every packet.
_OPEN, _CLIENT_CLOSED = ConnectionState.OPEN, ConnectionState.CLIENT_CLOSED
_DISCONNECTING = SessionState.DISCONNECTING


class PacketHandler:
    """Handles the packets of one connection. A packet that breaks the protocol closes it with `protocol_error`.

    What the policy does without waiting is done when the packet arrives. `task` runs while the policy or a packet
    waits; an idle connection has none. While many packets wait, no more are read: `is_paused`.
    """

    __slots__ = (
        "_attachments",
        "_connect_handler",
        "_connection",
        "_eager_tasks",
        "_handled_in_a_row",
        "_incomplete",
        "_max_bytes",
        "_policy",
        "_speaks_msgpack",
        "_waiting",
        "_waiting_bytes",
        "is_paused",
        "task",
    )

    def __init__(
        self,
        connection: Connection[Session],
        *,
        policy: SessionPolicy,
        connect_handler: ConnectHandler,
        max_bytes: int,
        eager_tasks: EagerTasks,
    ) -> None:
        self._connection = connection
        self._eager_tasks = eager_tasks
        self._policy = policy
        self._connect_handler = connect_handler
        self._max_bytes = max_bytes
        self._incomplete: Packet | None = None
        self._attachments: list[bytes] | None = None
        self._waiting: deque[tuple[bytes, bytes]] | None = None
        self._waiting_bytes = 0
        self._handled_in_a_row = 0
        self.is_paused = False
        self.task: asyncio.Task[None] | None = None
        self._speaks_msgpack = connection.codec.CODEC == msgpack_packets.CODEC

    def handle(self, kind: bytes, data: bytes) -> None:
        """Handles a packet after those that came before it, unless the connection is being closed."""
        state = self._connection.state
        if state is not _OPEN and state is not _CLIENT_CLOSED:
            return
        if self.task is not None:
            self._enqueue(kind, data)
        elif kind == CLOSE:
            self._connection.finish_client_close()
        elif self._handled_in_a_row == _PACKETS_PER_TURN:
            # One client's backlog must not block the loop for all others.
            self._handled_in_a_row = 0
            self._enqueue(kind, data)
            self.task = asyncio.get_running_loop().create_task(self._process())
        else:
            self._handled_in_a_row += 1
            work = self._start(kind, data)
            if work is not None:
                self._run_eagerly(work)

    def _run_eagerly(self, work: Work) -> None:
        try:
            self.task = self._eager_tasks.start(work, self._process)
        except asyncio.CancelledError:
            # The coroutine awaited something that was cancelled before: it has answered, and nothing else ends by it.
            self.task = None
        if self.task is None:
            self._connection.end_work()

    def _enqueue(self, kind: bytes, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((kind, data))
        self._waiting_bytes += len(data)
        if not self.is_paused and (len(self._waiting) > _WAITING_MAX or self._waiting_bytes > _WAITING_MAX_BYTES):
            self.is_paused = True
            self._connection.pause_reading()

    async def _process(self, started: Awaitable[None] | None = None) -> None:
        """Finishes the work that was started, and handles the packets that have come meanwhile."""
        work, handled = started, 0
        try:
            while True:
                if work is not None:
                    try:
                        await work
                    finally:
                        self._connection.end_work()
                handled += 1
                if handled % _PACKETS_PER_TURN == 0:
                    await asyncio.sleep(0)
                packet = self._next()
                if packet is None or not self._connection.is_readable:
                    return
                work = self._start(*packet)
        finally:
            self._become_idle()

    def _become_idle(self) -> None:
        """Handles nothing until the next packet comes."""
        self.task = self._waiting = None
        self._waiting_bytes = 0
        self._resume_reading()

    def _next(self) -> tuple[bytes, bytes] | None:
        if not self._waiting:
            return None
        packet = self._waiting.popleft()
        self._waiting_bytes -= len(packet[1])
        if len(self._waiting) <= _WAITING_MAX // 2 and self._waiting_bytes <= _WAITING_MAX_BYTES // 2:
            self._resume_reading()
        return packet

    def _resume_reading(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self._connection.resume_reading()

    def _start(self, kind: bytes, data: bytes) -> Work | None:
        """Handles a packet; returns a coroutine where the policy may have to wait: `end_work` has to follow it."""
        connection = self._connection
        connection.busy = True
        work: Work | None = None
        try:
            if kind == MESSAGE:
                work = self._handle_text(data)
            elif kind == BINARY:
                work = self._handle_binary(data)
            elif kind == CLOSE:
                connection.finish_client_close()
            else:
                raise MalformedPacket("an Engine.IO packet that a client may not send")
        except MalformedPacket as error:
            _log.info("connection %s from %s breaks the protocol: %s", connection.id, connection.peer_address, error)
            connection.close(CLOSE_PROTOCOL_ERROR)
        if work is None:
            connection.end_work()
        return work

    def _handle_text(self, text: bytes) -> Work | None:
        if self._speaks_msgpack:
            raise MalformedPacket("text where all packets are msgpack")
        if self._incomplete is not None:
            raise MalformedPacket("a packet before all attachments of the last one")
        packet = decode_packet(text)
        if packet.attachments:
            self._incomplete = packet
            return None
        return self._handle_packet(packet)

    def _handle_binary(self, data: bytes) -> Work | None:
        if self._speaks_msgpack:
            return self._handle_packet(msgpack_packets.decode_packet(data))
        packet = self._incomplete
        if packet is None:
            raise MalformedPacket("a binary message that no packet announced")
        attachments = self._attachments = self._attachments or []
        attachments.append(data)
        if packet.size_bytes + sum(map(len, attachments)) > self._max_bytes:
            raise MalformedPacket("attachments are larger than a packet may be")
        if len(attachments) < packet.attachments:
            return None
        self._attachments = self._incomplete = None
        attach(packet, attachments)
        return self._handle_packet(packet)

    def _handle_packet(self, packet: Packet) -> Work | None:
        kind, connection = packet.kind, self._connection
        if kind is CONNECT:
            return self._connect_handler.connect(connection, packet.namespace, packet.auth or {})
        session = connection.session(packet.namespace)
        if session is None or session.state is _DISCONNECTING:
            if session is None and packet.namespace not in connection.disconnected_namespaces:
                raise MalformedPacket("a packet before CONNECT")
            # The client sent it before our DISCONNECT reached it.
            return None
        if kind is EVENT or kind is BINARY_EVENT:
            return self._event(session, packet)
        if kind is DISCONNECT:
            connection.end_session(session, "client namespace disconnect")
        # The server asks for no acks, so that a client's ack is ignored.
        return None

    def _event(self, session: Session, packet: Packet) -> Work | None:
        try:
            value = self._policy.event(session, packet.name, packet.args, packet.size_bytes)
        except Exception:
            value = _failed(packet.name)
        if isinstance(value, CoroutineType):
            return self._answer_later(session, packet, value)
        self._answer(session, packet, value)
        return None

    async def _answer_later(self, session: Session, packet: Packet, work: Awaitable[object]) -> None:
        try:
            value = await work
        except asyncio.CancelledError:
            self._answer(session, packet, answer_error(CommandError(UNAVAILABLE)))
            raise
        except Exception:
            value = _failed(packet.name)
        self._answer(session, packet, value)

    def _answer(self, session: Session, packet: Packet, value: object) -> None:
        if packet.ack_id is None:
            return
        if not isinstance(value, bytes):
            try:
                value = orjson.dumps(value)
            except TypeError:
                value = _failed(packet.name)
        self._connection.write(self._connection.codec.encode_ack(session.namespace, packet.ack_id, value))


def _failed(event: str) -> bytes:
    """The answer of an event at which the policy raised an unexpected exception."""
    return answer_error(CommandError(INTERNAL, log_failure(event)))
