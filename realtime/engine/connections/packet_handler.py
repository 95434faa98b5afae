"""What a client says, in its order: one packet at a time from the transports to the policy, and the answers back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable
from types import CoroutineType

import orjson

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR, INTERNAL, UNAVAILABLE, CommandError
from realtime.contract.wire import answer_error
from realtime.engine.connections.connect_handler import ConnectHandler, unforeseen
from realtime.engine.connections.eager_tasks import EagerTasks, Work
from realtime.engine.protocol import msgpack_packets
from realtime.engine.protocol.frames import BINARY, CLOSE, MESSAGE, MalformedPacket
from realtime.engine.protocol.packets import BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet, attach, decode_packet
from realtime.engine.session.policy import SessionPolicy
from realtime.engine.session.session import Connection, Session

_log = logging.getLogger(__name__)

_PACKETS_PER_TURN = 32
_WAITING_MAX = 64
_WAITING_MAX_BYTES = 256 * 1024


class PacketHandler:
    """Takes the packets of one connection. A packet that breaks the protocol closes it with `protocol_error`.

    What the policy does without waiting is done when the packet comes. `task` works while something waits; an idle
    connection has none. While many packets wait, no more are read: `holding`.
    """

    __slots__ = (
        "_attachments",
        "_connect_handler",
        "_connection",
        "_eager_tasks",
        "_incomplete",
        "_max_bytes",
        "_policy",
        "_speaks_msgpack",
        "_taken_at_once",
        "_waiting",
        "_waiting_bytes",
        "holding",
        "task",
    )

    def __init__(
        self,
        connection: Connection,
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
        self._taken_at_once = 0
        self.holding = False
        self.task: asyncio.Task[None] | None = None
        self._speaks_msgpack = connection.codec.CODEC == msgpack_packets.CODEC

    def take(self, kind: bytes, data: bytes) -> None:
        """Handles a packet after all that were taken before; none is handled once the connection is closing."""
        if self._connection.closing:
            return
        if self.task is not None:
            self._wait(kind, data)
        elif kind == CLOSE:
            self._connection.left()
        elif self._taken_at_once == _PACKETS_PER_TURN:
            # One client's backlog must not keep the loop from all others.
            self._taken_at_once = 0
            self._wait(kind, data)
            self.task = asyncio.get_running_loop().create_task(self._work_on())
        else:
            self._taken_at_once += 1
            work = self._begin(kind, data)
            if work is not None:
                self._take_first_step(work)

    def _take_first_step(self, work: Work) -> None:
        try:
            self.task = self._eager_tasks.take(work, self._work_on)
        except asyncio.CancelledError:
            # It awaited what was cancelled before: answered, and nobody else's end.
            self.task = None
        if self.task is None:
            self._connection.end_work()

    def _wait(self, kind: bytes, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((kind, data))
        self._waiting_bytes += len(data)
        if not self.holding and (len(self._waiting) > _WAITING_MAX or self._waiting_bytes > _WAITING_MAX_BYTES):
            self.holding = True
            self._connection.hold()

    async def _work_on(self, begun: Awaitable[None] | None = None) -> None:
        """Ends what was begun, and handles all that has come meanwhile."""
        work, taken = begun, 0
        try:
            while True:
                if work is not None:
                    try:
                        await work
                    finally:
                        self._connection.end_work()
                taken += 1
                if taken % _PACKETS_PER_TURN == 0:
                    await asyncio.sleep(0)
                packet = self._next()
                if packet is None or self._connection.closing:
                    return
                work = self._begin(*packet)
        finally:
            self._rest()

    def _rest(self) -> None:
        """Nothing is handled any more, until the next packet comes."""
        self.task = self._waiting = None
        self._waiting_bytes = 0
        self._go_on()

    def _next(self) -> tuple[bytes, bytes] | None:
        if not self._waiting:
            return None
        packet = self._waiting.popleft()
        self._waiting_bytes -= len(packet[1])
        if len(self._waiting) <= _WAITING_MAX // 2 and self._waiting_bytes <= _WAITING_MAX_BYTES // 2:
            self._go_on()
        return packet

    def _go_on(self) -> None:
        if self.holding:
            self.holding = False
            self._connection.go_on()

    def _begin(self, kind: bytes, data: bytes) -> Work | None:
        """Handles a packet. What the policy may have to wait for is returned: `end_work` has to follow it."""
        connection = self._connection
        connection.busy = True
        work: Work | None = None
        try:
            if kind == MESSAGE:
                work = self._take_text(data)
            elif kind == BINARY:
                work = self._take_binary(data)
            elif kind == CLOSE:
                connection.left()
            else:
                raise MalformedPacket("an Engine.IO packet that is not a client's to send")
        except MalformedPacket as error:
            _log.info("connection %s from %s breaks the protocol: %s", connection.id, connection.peer_address, error)
            connection.close(CLOSE_PROTOCOL_ERROR)
        if work is None:
            connection.end_work()
        return work

    def _take_text(self, text: bytes) -> Work | None:
        if self._speaks_msgpack:
            raise MalformedPacket("text where all packets are msgpack")
        if self._incomplete is not None:
            raise MalformedPacket("a packet before all attachments of the last one")
        packet = decode_packet(text)
        if packet.attachments:
            self._incomplete = packet
            return None
        return self._handle(packet)

    def _take_binary(self, data: bytes) -> Work | None:
        if self._speaks_msgpack:
            return self._handle(msgpack_packets.decode_packet(data))
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
        return self._handle(packet)

    def _handle(self, packet: Packet) -> Work | None:
        kind, connection = packet.kind, self._connection
        if kind is CONNECT:
            return self._connect_handler.connect(connection, packet.namespace, packet.auth or {})
        session = connection.session(packet.namespace)
        if session is None or session.leaving:
            if session is None and packet.namespace not in connection.dismissed:
                raise MalformedPacket("a packet before CONNECT")
            # It crossed our DISCONNECT on the way.
            return None
        if kind is EVENT or kind is BINARY_EVENT:
            return self._event(session, packet)
        if kind is DISCONNECT:
            connection.drop(session, "client namespace disconnect")
        # The server asks for no acks, so that one of a client's means nothing.
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
    """The answer of an event that failed unforeseen."""
    return answer_error(CommandError(INTERNAL, unforeseen(event)))
