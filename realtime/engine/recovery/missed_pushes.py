"""Tells clients that are back what they missed, part by part, so that telling it never cuts them off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.contract.errors import CLOSE_SLOW_CONSUMER
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.session.session import Connection, Session

NEXT_PART_AFTER_S = 0.02
"""How often it is looked whether clients have read what they were told of what they missed."""
FRAME_OVERHEAD_BYTES = 100
"""What a push takes on its way beside its data; many small ones must not get around a bound."""


def size_on_its_way(push: EncodedPush) -> int:
    return len(push.data) + FRAME_OVERHEAD_BYTES


class MissedPushSender:
    """The sessions of one node whose clients have not read all that they missed.

    A part is at most `max_part_bytes`, and at least one push. `on_done` hears of each session that has been told
    everything. Who reads more slowly than the logs forget is cut off as a slow consumer.
    """

    def __init__(self, *, max_part_bytes: int, on_done: Callable[[Session], None]) -> None:
        self._max_part_bytes = max_part_bytes
        self._on_done = on_done
        self._behind: dict[Session, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        """Tells nothing more."""
        self._behind.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def begin(self, session: Session, connection: Connection, missed: list[EncodedPush]) -> None:
        """Gives a session its connection, with the first part, to be opened at once; the rest follows."""
        part = self._part(missed)
        session.resume(connection, part, behind=len(part) < len(missed))
        self._go_on(session)

    def _part(self, missed: list[EncodedPush]) -> list[EncodedPush]:
        size_bytes = 0
        for index, push in enumerate(missed):
            size_bytes += size_on_its_way(push)
            if size_bytes > self._max_part_bytes and index:
                return missed[:index]
        return missed

    def _go_on(self, session: Session) -> None:
        if not session.behind:
            self._on_done(session)
            return
        self._behind[session] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NEXT_PART_AFTER_S, self._tell_next_parts)

    def _tell_next_parts(self) -> None:
        self._timer = None
        behind, self._behind = self._behind, {}
        for session in behind:
            if session.behind and not session.connection.gone:
                self._tell_next_part(session)

    def _tell_next_part(self, session: Session) -> None:
        recovery_state, connection = session.recovery_state, session.connection
        if recovery_state is not None and recovery_state.forgotten:
            connection.lost(CLOSE_SLOW_CONSUMER.reason)
            return
        if recovery_state is not None and not connection.unread_bytes:
            missed = recovery_state.missed(recovery_state.last if isinstance(recovery_state.last, str) else None)
            if missed is None:
                connection.lost(CLOSE_SLOW_CONSUMER.reason)
                return
            part = self._part(missed)
            session.catch_up(part, behind=len(part) < len(missed))
        self._go_on(session)
