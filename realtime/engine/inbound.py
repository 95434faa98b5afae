"""What a client says, in its order: one packet at a time from the transports to the policy, and the answers back."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Mapping

import orjson

from realtime.engine import msgpack_packets
from realtime.engine.first_step import FirstSteps, Work
from realtime.engine.frames import BINARY, CLOSE, MESSAGE, MalformedPacket
from realtime.engine.hub import Hub
from realtime.engine.packets import BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet, attach, decode_packet
from realtime.engine.policy import ConnectRefused, SessionPolicy
from realtime.engine.recovery import Recovery
from realtime.engine.session import Connection, Session
from realtime.engine.sessions import begin_session
from realtime.errors import CLOSE_FLOOD, CLOSE_PROTOCOL_ERROR, INTERNAL, UNAVAILABLE, CommandError
from realtime.wire import answer_error

_log = logging.getLogger(__name__)

_PACKETS_PER_TURN = 32
_WAITING_MAX = 64
_WAITING_MAX_BYTES = 256 * 1024
_UNKNOWN_NAMESPACES_MAX = 100


class Inbound:
    """Takes the packets of one connection. A packet that breaks the protocol closes it with `protocol_error`.

    What the policy does without waiting is done when the packet comes. `task` works while something waits; an idle
    connection has none. While many packets wait, no more are read: `holding`.
    """

    __slots__ = (
        "_attachments",
        "_connection",
        "_first_steps",
        "_hub",
        "_incomplete",
        "_max_bytes",
        "_namespaces",
        "_policy",
        "_recovery",
        "_speaks_msgpack",
        "_taken_at_once",
        "_unknown_namespaces",
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
        hub: Hub,
        namespaces: frozenset[str],
        max_bytes: int,
        first_steps: FirstSteps,
        recovery: Recovery | None = None,
    ) -> None:
        self._connection = connection
        self._first_steps = first_steps
        self._policy = policy
        self._hub = hub
        self._namespaces = namespaces
        self._max_bytes = max_bytes
        self._recovery = recovery
        self._incomplete: Packet | None = None
        self._attachments: list[bytes] | None = None
        self._waiting: deque[tuple[bytes, bytes]] | None = None
        self._waiting_bytes = 0
        self._taken_at_once = 0
        self.holding = False
        self.task: asyncio.Task[None] | None = None
        self._unknown_namespaces = 0
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
        self.task = self._first_steps.take(work, self._work_on)
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
        connection.begin_work()
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
        kind = packet.kind
        if kind is CONNECT:
            return self._connect(packet)
        session = self._connection.session(packet.namespace)
        if session is None or session.leaving:
            if session is None and packet.namespace not in self._connection.dismissed:
                raise MalformedPacket("a packet before CONNECT")
            # It crossed our DISCONNECT on the way.
            return None
        if kind is EVENT or kind is BINARY_EVENT:
            return self._event(session, packet)
        if kind is DISCONNECT:
            self._connection.drop(session, "client namespace disconnect")
        # The server asks for no acks, so that one of a client's means nothing.
        return None

    def _connect(self, packet: Packet) -> Work | None:
        namespace, connection = packet.namespace, self._connection
        if namespace in connection.sessions:
            raise MalformedPacket("a second CONNECT to the same namespace")
        if namespace not in self._namespaces:
            self._unknown_namespaces += 1
            if self._unknown_namespaces > _UNKNOWN_NAMESPACES_MAX:
                connection.close(CLOSE_FLOOD)
                return None
            connection.write(connection.codec.encode_connect_error(namespace, "Invalid namespace"))
            return None
        return self._begin_session(namespace, packet.auth or {})

    async def _begin_session(self, namespace: str, auth: Mapping[str, object]) -> None:
        connection = self._connection
        session: Session | None = None
        try:
            session = await self._open_session(namespace, auth)
        except ConnectRefused as refused:
            connection.write(
                connection.codec.encode_connect_error(
                    namespace, refused.message, {"code": refused.code, "message": refused.message}
                )
            )
        except Exception:
            error_id = _log_failure("connect")
            message = f"{INTERNAL.message} ({error_id})"
            connection.write(
                connection.codec.encode_connect_error(namespace, message, {"code": INTERNAL.code, "message": message})
            )
        if session is not None:
            self._hub.add_session(session)
            connection.accept(session)

    async def _open_session(self, namespace: str, auth: Mapping[str, object]) -> Session:
        """A session that is to be accepted at once: the one that the client comes back to, or a fresh one."""
        resumed: Session | None = None
        if self._recovery is not None:
            resumed = await self._recovery.resume(self._connection, namespace, auth)
        if resumed is not None:
            return resumed
        session = await begin_session(
            self._connection, namespace, auth, policy=self._policy, hub=self._hub, recovery=self._recovery
        )
        if self._recovery is not None:
            self._recovery.begun(session, auth)
        return session

    async def _event(self, session: Session, packet: Packet) -> None:
        answer: bytes | None = None
        try:
            value = await self._policy.event(session, packet.name, packet.args, packet.size_bytes)
            answer = value if isinstance(value, bytes) else orjson.dumps(value)
        except asyncio.CancelledError:
            answer = answer_error(CommandError(UNAVAILABLE))
            raise
        except Exception:
            error_id = _log_failure(packet.name)
            answer = answer_error(CommandError(INTERNAL, f"{INTERNAL.message} ({error_id})"))
        finally:
            if packet.ack_id is not None and answer is not None:
                self._connection.write(self._connection.codec.encode_ack(session.namespace, packet.ack_id, answer))


def _log_failure(what: str) -> str:
    error_id = secrets.token_hex(6)
    _log.exception("policy failed on %r, error id %s", what, error_id)
    return error_id
