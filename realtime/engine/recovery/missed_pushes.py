"""Sends clients what they missed in parts, so that sending it never makes them slow consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.contract.errors import CLOSE_SLOW_CONSUMER
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.session.connection import Connection
from realtime.engine.session.lifecycle import SessionState
from realtime.engine.session.session import Session

NEXT_PART_AFTER_S = 0.02
"""How often it is checked whether clients have read the last part."""
FRAME_OVERHEAD_BYTES = 100
"""What a push takes on the wire beside its data; many small pushes must not get around a bound."""


def size_on_wire(push: EncodedPush) -> int:
    return len(push.data) + FRAME_OVERHEAD_BYTES


class MissedPushSender:
    """Serves the sessions of one node whose clients have not read all that they missed.

    A part is at most `max_part_bytes`, and at least one push; the next is sent when the client has read the last.
    `on_done` is called with each session that was sent everything. A client that reads more slowly than the logs drop
    entries is disconnected as a slow consumer.
    """

    def __init__(self, *, max_part_bytes: int, on_done: Callable[[Session], None]) -> None:
        self._max_part_bytes = max_part_bytes
        self._on_done = on_done
        self._catching_up: dict[Session, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Sends nothing more."""
        self._catching_up.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def start(self, session: Session, connection: Connection[Session], missed: list[EncodedPush]) -> None:
        """Gives a session its connection with the first part, to be opened at once; the rest follows."""
        part = self._part(missed)
        session.resume(connection, part, complete=len(part) == len(missed))
        self._continue(session)

    def _part(self, missed: list[EncodedPush]) -> list[EncodedPush]:
        size_bytes = 0
        for index, push in enumerate(missed):
            size_bytes += size_on_wire(push)
            if size_bytes > self._max_part_bytes and index:
                return missed[:index]
        return missed

    def _continue(self, session: Session) -> None:
        if session.state is not SessionState.CATCHING_UP:
            self._on_done(session)
            return
        self._catching_up[session] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NEXT_PART_AFTER_S, self._send_next_parts)

    def _send_next_parts(self) -> None:
        self._timer = None
        sessions, self._catching_up = self._catching_up, {}
        for session in sessions:
            if session.state is SessionState.CATCHING_UP and session.connection.is_writable:
                self._send_next_part(session)

    def _send_next_part(self, session: Session) -> None:
        recovery_state, connection = session.recovery_state, session.connection
        if recovery_state is not None and recovery_state.is_evicted:
            connection.abort(CLOSE_SLOW_CONSUMER.reason)
            return
        if recovery_state is not None and not connection.unread_bytes:
            last_sent = recovery_state.last_sent
            missed = recovery_state.to_replay(last_sent if isinstance(last_sent, str) else None, session.user_id)
            if missed is None:
                connection.abort(CLOSE_SLOW_CONSUMER.reason)
                return
            part = self._part(missed)
            session.catch_up(part, complete=len(part) == len(missed))
        self._continue(session)
