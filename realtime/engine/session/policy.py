"""What the engine asks of the server behind it: whom to let in, what to answer, and whom to forget."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from realtime.engine.session.transport import TransportName

if TYPE_CHECKING:
    from realtime.engine.session.session import Connection, Session


class HandshakeRequest(NamedTuple):
    """A client that wants a connection. `peer_address` is the real one; `origin` is None outside browsers."""

    peer_address: str
    transport: TransportName
    user_agent: str | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """Why a client gets no connection now; official clients come back by themselves after it."""

    status: Literal[429, 503]
    code: Literal["rate_limited", "server_busy", "draining"]
    retry_after_s: float


class ConnectRefused(Exception):
    """Refuses a CONNECT: the client's `connect_error` carries `{code, message}` as its data."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SessionPolicy(Protocol):
    """The server behind the engine.

    `connect`, `event` and `disconnected` of one connection never run at the same time, and events come in the order in
    which the client sent them.
    """

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        """Lets a client open a connection, or says why not."""

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        """Accepts a session, or raises ConnectRefused. What is sent to it meanwhile leaves after the CONNECT answer.

        When the connection was closed meanwhile, by this method too, there is no answer and `disconnected` follows.
        """

    def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        """Does what a client asked and returns the answer: encoded JSON as bytes, or a value that orjson can encode.

        What may wait is an `async def`: a coroutine is awaited for its answer, in a task. A plain answer costs none.
        Called for events without an ack id too; their answer is dropped. `size_bytes` is that of the whole packet with
        its attachments, which stand in `args` as bytes.
        """

    def disconnected(self, session: Session, reason: str) -> None:
        """Forgets a session that `connect` accepted, unless it is `kept`; called once for each connection it had.

        It is in its rooms still.
        """


class RecoveryPolicy(Protocol):
    """What the recovery of sessions asks of the server behind the engine."""

    def owner(self, session: Session) -> Hashable:
        """Whose session it is, always: of one owner only so many are kept. None: nobody's in particular."""

    async def resume(self, session: Session, connection: Connection, auth: Mapping[str, object]) -> bool:
        """Whether this caller may have this session back; binds the connection then. Raises ConnectRefused."""

    def resumed(self, session: Session) -> None:
        """A client has its session back; what it missed is told at once, whatever is not kept in logs is told here."""

    def not_recovered(self, session: Session, code: int | None) -> None:
        """A client asked for a session that cannot be given back and got this new one, which is not answered yet.

        `code` says why the lost session was closed where its client could not be told.
        """

    def expired(self, session: Session) -> None:
        """Forgets a kept session: its client did not come back. It is in its rooms still."""
