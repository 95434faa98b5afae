"""A polling client's try of a WebSocket, and its move to it without losing or reordering anything."""

from __future__ import annotations

import asyncio

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR, CloseReason
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import PROBE_ANSWER, PROBE_QUESTION, UPGRADE, Outgoing
from realtime.engine.websocket.protocol import WebSocketProtocol

_TIMEOUT_S = 10.0


class UpgradeProbe:
    """Hears the new WebSocket until the client has moved to it or given it up; then the client goes on polling."""

    def __init__(self, entry: ConnectionEntry, polling: PollingTransport, socket: WebSocketProtocol) -> None:
        self._entry = entry
        self._polling = polling
        self._socket = socket
        self._asked = False
        self._over = False
        self._timer = asyncio.get_running_loop().call_later(_TIMEOUT_S, self.give_up)
        entry.probe = self

    def text(self, payload: bytes) -> None:
        if self._over:
            return
        if not self._asked and payload == PROBE_QUESTION:
            self._asked = True
            self._socket.write(Outgoing(PROBE_ANSWER))
            # So that the client's last poll is answered.
            self._polling.begin_upgrade()
        elif self._asked and payload == UPGRADE and not self._entry.connection.closing:
            self._move()
        else:
            self.give_up()

    def binary(self, payload: bytes) -> None:
        self.give_up()

    def violated(self, reason: CloseReason) -> None:
        self._end()
        self._socket.close(reason)

    def left(self) -> None:
        self._end()

    def give_up(self) -> None:
        if not self._over:
            self._end()
            self._socket.release()

    def _move(self) -> None:
        self._end()
        for packet in self._polling.end_by_upgrade():
            self._socket.write(packet)
        self._entry.connection.use_transport(self._socket)
        self._socket.listen(self._entry)

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._timer.cancel()
            self._polling.cancel_upgrade()
            self._entry.probe = None


class RejectedUpgrade:
    """Closes a WebSocket for which there is no place, and hears nothing of what its client says.

    Refusing it before it is open would look like a broken network to clients.
    """

    def __init__(self, socket: WebSocketProtocol) -> None:
        socket.listen(self)
        socket.close(CLOSE_PROTOCOL_ERROR)

    def text(self, payload: bytes) -> None: ...

    def binary(self, payload: bytes) -> None: ...

    def violated(self, reason: CloseReason) -> None: ...

    def left(self) -> None: ...
