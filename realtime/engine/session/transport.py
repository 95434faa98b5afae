"""What a connection asks of the way to its client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing

TransportName = Literal["websocket", "polling"]


class Transport(Protocol):
    """One way to a client. Nothing here blocks; what was written before `close` is delivered before it."""

    @property
    def name(self) -> TransportName: ...

    @property
    def unread_bytes(self) -> int:
        """What was written and is held here still, since the client has not read it."""

    def watch(self, on_stalled: Callable[[], None]) -> None:
        """Calls `on_stalled` when the client has left more unread than it may."""

    def write(self, packet: Outgoing) -> None: ...

    def close(self, reason: CloseReason) -> None:
        """The server ends it and says why."""

    def release(self) -> None:
        """The client has said goodbye."""

    def abort(self) -> None:
        """The client is of no use any more: what it has not read is dropped."""

    def hold(self) -> None:
        """Reads nothing more of the client until `go_on`, where it could heap up."""

    def go_on(self) -> None: ...
