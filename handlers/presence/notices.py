"""Stores when users were last active, and notifies their watchers when they come online or go offline."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import structlog

from handlers.ports import Clock
from handlers.presence.contract import PRESENCE_CHANGED, PresenceChanged
from realtime.contract.wire import encode_model, unix_ms
from realtime.presence.watches import PresenceChange
from realtime.process.outage_log import OutageLog
from sql.errors import Retry, Unavailable
from sql.ids import UserId
from sql.unit import Units

ROWS_PER_STATEMENT = 1_000

log = structlog.get_logger(__name__)


class PresenceNotices:
    """One write for all users who left within a second, and one read for all changes that are to be sent."""

    def __init__(self, units: Units, clock: Clock) -> None:
        self._units = units
        self._clock = clock
        self._storing = OutageLog(log, "last_seen_not_noted")
        self._notifying = OutageLog(log, "presence_not_told")

    async def store_last_seen(self, seen_ms: Mapping[int, int]) -> None:
        """Stores when users were last seen, in Unix milliseconds; while PostgreSQL is away their older time stays."""
        people = list(seen_ms.items())
        try:
            for start in range(0, len(people), ROWS_PER_STATEMENT):
                part = people[start : start + ROWS_PER_STATEMENT]
                async with self._units.write() as db:
                    await db.people.note_last_seen(
                        user_ids=[UserId(user_id) for user_id, _ in part],
                        seen_at=[datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC) for _, at_ms in part],
                    )
            self._storing.succeeded()
        except (Unavailable, Retry) as error:
            self._storing.failed(error)

    async def notify_watchers(self, changes: Sequence[PresenceChange]) -> bool:
        """Sends `presence:changed` to the watchers, except where a block is between watcher and user.

        False: nothing was sent, since PostgreSQL cannot tell the blocks now.
        """
        try:
            last_seen_ms = await self._visible(changes)
        except (Unavailable, Retry) as error:
            self._notifying.failed(error)
            return False
        self._notifying.succeeded()
        now_ms = unix_ms(self._clock.now())
        for change in changes:
            data: bytes | None = None
            for watcher in change.watchers:
                seen_ms = last_seen_ms.get((watcher.user_id, change.user_id))
                if seen_ms is None:
                    continue
                if data is None:
                    at_ms = now_ms if change.is_online else seen_ms
                    data = encode_model(
                        PresenceChanged(user_id=change.user_id, online=change.is_online, last_active_ms=at_ms)
                    )
                watcher.session.push_volatile(PRESENCE_CHANGED.name, data)
        return True

    async def _visible(self, changes: Sequence[PresenceChange]) -> dict[tuple[int, int], int]:
        """When users were last active, in Unix milliseconds, by (watcher, user); pairs with a block are left out."""
        pairs = sorted({(watcher.user_id, change.user_id) for change in changes for watcher in change.watchers})
        found: dict[tuple[int, int], int] = {}
        for start in range(0, len(pairs), ROWS_PER_STATEMENT):
            part = pairs[start : start + ROWS_PER_STATEMENT]
            rows = await self._units.reads.people.list_last_seen(
                viewer_ids=[UserId(viewer_id) for viewer_id, _ in part],
                user_ids=[UserId(user_id) for _, user_id in part],
            )
            found.update({(row.viewer_id, row.user_id): unix_ms(row.last_active_at) for row in rows})
        return found
