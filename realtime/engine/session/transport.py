"""What a connection needs of the transport that carries it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing

TransportName = Literal["websocket", "polling"]


class Transport(Protocol):
    """Carries packets to one client. No method blocks; what is written before `close` is delivered before it."""

    @property
    def name(self) -> TransportName: ...

    @property
    def unread_bytes(self) -> int:
        """Bytes that were written and are still buffered here, since the client has not read them."""

    def call_when_stalled(self, action: Callable[[], None]) -> None:
        """Calls `action` when the client has left more unread than it may."""

    def write(self, packet: Outgoing) -> None: ...

    def close(self, reason: CloseReason) -> None:
        """Closes it on behalf of the server, with this reason."""

    def finish_close(self) -> None:
        """Closes it after the client has closed the connection."""

    def abort(self) -> None:
        """Closes it at once and drops what the client has not read."""

    def pause_reading(self) -> None:
        """Reads nothing more of the client until `resume_reading`, where unread packets could pile up."""

    def resume_reading(self) -> None: ...


class ClosedTransport:
    """The transport of a connection that never was open: it drops what is written."""

    name: Literal["websocket"] = "websocket"
    unread_bytes = 0

    def call_when_stalled(self, action: Callable[[], None]) -> None: ...

    def write(self, packet: Outgoing) -> None: ...

    def close(self, reason: CloseReason) -> None: ...

    def finish_close(self) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...
