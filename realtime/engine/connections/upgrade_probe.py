"""The upgrade of a polling client to a WebSocket, without losing or reordering packets."""

from __future__ import annotations

import asyncio
from enum import Enum

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR, CloseReason
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import PROBE_ANSWER, PROBE_QUESTION, UPGRADE, Outgoing
from realtime.engine.websocket.protocol import WebSocketProtocol

_TIMEOUT_S = 10.0


class ProbeState(Enum):
    WAITING = "waiting"
    """The client has not sent the probe yet."""
    PROBED = "probed"
    """The probe is answered; the client's UPGRADE packet is awaited."""
    FINISHED = "finished"
    """The client uses the WebSocket, or goes on polling."""


class UpgradeProbe:
    """Receives what the client sends on the new WebSocket until it is the transport or is given up."""

    def __init__(self, entry: ConnectionEntry, polling: PollingTransport, socket: WebSocketProtocol) -> None:
        self._entry = entry
        self._polling = polling
        self._socket = socket
        self._state = ProbeState.WAITING
        self._timer = asyncio.get_running_loop().call_later(_TIMEOUT_S, self.cancel)
        entry.upgrade = self

    def on_text(self, payload: bytes) -> None:
        if self._state is ProbeState.FINISHED:
            return
        if self._state is ProbeState.WAITING and payload == PROBE_QUESTION:
            self._state = ProbeState.PROBED
            self._socket.write(Outgoing(PROBE_ANSWER))
            # So that the client's last poll is answered.
            self._polling.begin_upgrade()
        elif self._state is ProbeState.PROBED and payload == UPGRADE and self._entry.connection.is_readable:
            self._upgrade()
        else:
            self.cancel()

    def on_binary(self, payload: bytes) -> None:
        self.cancel()

    def on_violation(self, reason: CloseReason) -> None:
        self._finish()
        self._socket.close(reason)

    def on_close(self) -> None:
        self._finish()

    def cancel(self) -> None:
        if self._state is not ProbeState.FINISHED:
            self._finish()
            self._socket.finish_close()

    def _upgrade(self) -> None:
        self._finish()
        for packet in self._polling.end_by_upgrade():
            self._socket.write(packet)
        self._entry.connection.use_transport(self._socket)
        self._socket.set_receiver(self._entry)

    def _finish(self) -> None:
        if self._state is not ProbeState.FINISHED:
            self._state = ProbeState.FINISHED
            self._timer.cancel()
            self._polling.cancel_upgrade()
            self._entry.upgrade = None


class RejectedUpgrade:
    """Closes a WebSocket beside a connection that takes none, and ignores what its client sends.

    Refusing it before it is open would look like a broken network to clients.
    """

    def __init__(self, socket: WebSocketProtocol) -> None:
        socket.set_receiver(self)
        socket.close(CLOSE_PROTOCOL_ERROR)

    def on_text(self, payload: bytes) -> None: ...

    def on_binary(self, payload: bytes) -> None: ...

    def on_violation(self, reason: CloseReason) -> None: ...

    def on_close(self) -> None: ...
