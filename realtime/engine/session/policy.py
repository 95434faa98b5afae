"""What the engine asks of the server behind it: whom to let in, what to answer, what to clean up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.engine.session.transport import TransportName


class HandshakeRequest(NamedTuple):
    """A client that wants a connection. `peer_address` is the real one; `origin` is None outside browsers."""

    peer_address: str
    transport: TransportName
    user_agent: str | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class HandshakeRefusal:
    """Why a client gets no connection now; official clients try again by themselves after it."""

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
        """Accepts a session, or raises ConnectRefused. Pushes to it meanwhile are sent after the CONNECT answer.

        When the connection is closed meanwhile, by this method too, there is no answer and `disconnected` follows.
        """

    def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        """Carries out a client's event; returns the answer: encoded JSON as bytes, or a value that orjson can encode.

        A method that may wait is an `async def`: its coroutine is awaited in a task. A plain answer costs no task.
        Events without an ack id are passed too; their answer is dropped. `size_bytes` is the size of the whole packet
        with its attachments, which stand in `args` as bytes.
        """

    def disconnected(self, session: Session, reason: str) -> None:
        """A session that `connect` accepted has lost its connection; called again if a resumed one loses its next.

        The policy cleans up after the session, unless that `is_kept`. The session is still in its rooms.
        """


class RecoveryPolicy(Protocol):
    """What the recovery of sessions asks of the server behind the engine."""

    async def authorize_resume(
        self, session: Session, connection: Connection[Session], auth: Mapping[str, object]
    ) -> bool:
        """Whether this client may have this session back; binds the connection then. Raises ConnectRefused."""

    def resumed(self, session: Session) -> None:
        """A client has its session back and what the logs hold for it. Sends what no log holds, such as presence."""

    def not_recovered(self, session: Session, code: int | None) -> None:
        """A client asked for a session that cannot be resumed, and got this new one; its CONNECT is not answered yet.

        `code` is the close code of the lost session where the client could not be told it.
        """

    def expired(self, session: Session) -> None:
        """Cleans up after a kept session whose client did not come back in time. It is still in its rooms."""
