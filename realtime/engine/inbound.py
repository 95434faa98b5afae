"""What a client says, in its order: one packet at a time from the transports to the policy, and the answers back."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Mapping

import orjson

from realtime.engine import msgpack_packets
from realtime.engine.frames import BINARY, CLOSE, MESSAGE, EnginePacket, MalformedPacket
from realtime.engine.hub import Hub
from realtime.engine.packets import Kind, Packet, attach, decode_packet
from realtime.engine.policy import ConnectRefused, SessionPolicy
from realtime.engine.recovery import Recovery
from realtime.engine.session import Connection, Session
from realtime.errors import CLOSE_FLOOD, CLOSE_PROTOCOL_ERROR, INTERNAL, UNAVAILABLE, CommandError
from realtime.wire import answer_error

_log = logging.getLogger(__name__)

_PACKETS_PER_TURN = 32
_WAITING_MAX = 64
_WAITING_MAX_BYTES = 256 * 1024
_UNKNOWN_NAMESPACES_MAX = 100


class Inbound:
    """Takes the packets of one connection. A packet that breaks the protocol closes it with `protocol_error`.

    `task` works while there are packets; an idle connection has none. While many wait, no more are read: `holding`.
    """

    __slots__ = (
        "_attachments",
        "_connection",
        "_hub",
        "_incomplete",
        "_max_bytes",
        "_namespaces",
        "_policy",
        "_recovery",
        "_speaks_msgpack",
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
        recovery: Recovery | None = None,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._hub = hub
        self._namespaces = namespaces
        self._max_bytes = max_bytes
        self._recovery = recovery
        self._incomplete: Packet | None = None
        self._attachments: list[bytes] | None = None
        self._waiting: deque[EnginePacket] | None = None
        self._waiting_bytes = 0
        self.holding = False
        self.task: asyncio.Task[None] | None = None
        self._unknown_namespaces = 0
        self._speaks_msgpack = connection.codec.CODEC == msgpack_packets.CODEC

    def take(self, packet: EnginePacket) -> None:
        """Handles a packet after all that were taken before; none is handled once the connection is closing."""
        if self._connection.closing:
            return
        if self.task is None:
            if packet.kind == CLOSE:
                self._connection.left()
            else:
                # A task even where nothing will have to wait: the policy may rely on having one, and it costs 1 us.
                self.task = asyncio.get_running_loop().create_task(self._handle_all(packet))
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(packet)
        self._waiting_bytes += len(packet.data)
        if not self.holding and (len(self._waiting) > _WAITING_MAX or self._waiting_bytes > _WAITING_MAX_BYTES):
            self.holding = True
            self._connection.hold()

    async def _handle_all(self, packet: EnginePacket | None) -> None:
        taken = 0
        try:
            while packet is not None and not self._connection.closing:
                await self._take(packet)
                taken += 1
                if taken % _PACKETS_PER_TURN == 0:
                    # One client's backlog must not keep the loop from all others.
                    await asyncio.sleep(0)
                packet = self._next()
        finally:
            self.task = self._waiting = None
            self._waiting_bytes = 0
            self._go_on()

    def _next(self) -> EnginePacket | None:
        if not self._waiting:
            return None
        packet = self._waiting.popleft()
        self._waiting_bytes -= len(packet.data)
        if len(self._waiting) <= _WAITING_MAX // 2 and self._waiting_bytes <= _WAITING_MAX_BYTES // 2:
            self._go_on()
        return packet

    def _go_on(self) -> None:
        if self.holding:
            self.holding = False
            self._connection.go_on()

    async def _take(self, packet: EnginePacket) -> None:
        connection = self._connection
        connection.begin_work()
        try:
            if packet.kind == MESSAGE:
                await self._take_text(packet.data)
            elif packet.kind == BINARY:
                await self._take_binary(packet.data)
            elif packet.kind == CLOSE:
                connection.left()
            else:
                raise MalformedPacket("an Engine.IO packet that is not a client's to send")
        except MalformedPacket as error:
            _log.info("connection %s from %s breaks the protocol: %s", connection.id, connection.peer_address, error)
            connection.close(CLOSE_PROTOCOL_ERROR)
        finally:
            connection.end_work()

    async def _take_text(self, text: bytes) -> None:
        if self._speaks_msgpack:
            raise MalformedPacket("text where all packets are msgpack")
        if self._incomplete is not None:
            raise MalformedPacket("a packet before all attachments of the last one")
        packet = decode_packet(text)
        if packet.attachments:
            self._incomplete = packet
        else:
            await self._handle(packet)

    async def _take_binary(self, data: bytes) -> None:
        if self._speaks_msgpack:
            await self._handle(msgpack_packets.decode_packet(data))
            return
        packet = self._incomplete
        if packet is None:
            raise MalformedPacket("a binary message that no packet announced")
        attachments = self._attachments = self._attachments or []
        attachments.append(data)
        if packet.size_bytes + sum(map(len, attachments)) > self._max_bytes:
            raise MalformedPacket("attachments are larger than a packet may be")
        if len(attachments) == packet.attachments:
            self._attachments = self._incomplete = None
            attach(packet, attachments)
            await self._handle(packet)

    async def _handle(self, packet: Packet) -> None:
        if packet.kind is Kind.CONNECT:
            await self._connect(packet)
            return
        session = self._connection.sessions.get(packet.namespace)
        if session is None or session.leaving:
            if session is None and packet.namespace not in self._connection.dismissed:
                raise MalformedPacket("a packet before CONNECT")
            # It crossed our DISCONNECT on the way.
            return
        if packet.kind is Kind.DISCONNECT:
            self._connection.drop(session, "client namespace disconnect")
        elif packet.kind in (Kind.EVENT, Kind.BINARY_EVENT):
            await self._event(session, packet)
        # The server asks for no acks, so that one of a client's means nothing.

    async def _connect(self, packet: Packet) -> None:
        namespace, connection = packet.namespace, self._connection
        if namespace in connection.sessions:
            raise MalformedPacket("a second CONNECT to the same namespace")
        if namespace not in self._namespaces:
            self._unknown_namespaces += 1
            if self._unknown_namespaces > _UNKNOWN_NAMESPACES_MAX:
                connection.close(CLOSE_FLOOD)
                return
            connection.write(connection.codec.encode_connect_error(namespace, "Invalid namespace"))
            return
        session: Session | None = None
        try:
            session = await self._open_session(namespace, packet.auth or {})
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
        session = Session(id=secrets.token_urlsafe(15), namespace=namespace, connection=self._connection)
        if self._recovery is not None:
            self._recovery.follow(session, auth)
        try:
            await self._policy.connect(session, auth)
        except BaseException:
            session.shut()
            self._hub.remove_session(session)
            if self._recovery is not None:
                self._recovery.forget(session)
            raise
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
