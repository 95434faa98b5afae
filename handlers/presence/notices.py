"""What presence keeps in SQL, when people were last here, and what it asks of it: who may see whom."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

import structlog

from handlers.context import Clock
from handlers.presence.contract import PRESENCE_CHANGED, PresenceChanged
from realtime.contract.wire import encode_model, unix_ms
from realtime.presence.watches import PresenceChange
from realtime.process.outage import Outage
from sql.catalogue import Queries
from sql.errors import Retry, Unavailable
from sql.ids import UserId
from sql.unit import Units

ROWS_PER_STATEMENT = 1_000

log = structlog.get_logger(__name__)


class PresenceRows:
    """Writes once for everybody who has left within a second, and reads once for all that is to be told."""

    def __init__(self, units: Units, queries: Queries, clock: Clock) -> None:
        self._units = units
        self._queries = queries
        self._clock = clock
        self._notes = Outage(log, "last_seen_not_noted")
        self._telling = Outage(log, "presence_not_told")

    async def note_left(self, left_ms: Mapping[int, int]) -> None:
        """Keeps when people were last seen; without PostgreSQL the older time stays."""
        people = list(left_ms.items())
        try:
            for start in range(0, len(people), ROWS_PER_STATEMENT):
                part = people[start : start + ROWS_PER_STATEMENT]
                async with self._units.write() as connection:
                    await self._queries.people.note_last_seen(
                        connection,
                        user_ids=[UserId(user_id) for user_id, _ in part],
                        seen_at=[datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC) for _, at_ms in part],
                    )
            self._notes.is_over()
        except (Unavailable, Retry) as error:
            self._notes.goes_on(error)

    async def tell(self, changes: Sequence[PresenceChange]) -> bool:
        """Sends `presence:changed` to the watchers without a block between; False when that cannot be known now."""
        try:
            last_seen_ms = await self._visible(changes)
        except (Unavailable, Retry) as error:
            self._telling.goes_on(error)
            return False
        self._telling.is_over()
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
                watcher.member.push_volatile(PRESENCE_CHANGED.name, data)
        return True

    async def _visible(self, changes: Sequence[PresenceChange]) -> dict[tuple[int, int], int]:
        """When people were last here, by the pairs of watcher and person that may know of it."""
        pairs = sorted({(watcher.user_id, change.user_id) for change in changes for watcher in change.watchers})
        found: dict[tuple[int, int], int] = {}
        for start in range(0, len(pairs), ROWS_PER_STATEMENT):
            part = pairs[start : start + ROWS_PER_STATEMENT]
            async with self._units.read() as connection:
                rows = await self._queries.people.list_last_seen(
                    connection,
                    viewer_ids=[UserId(viewer_id) for viewer_id, _ in part],
                    user_ids=[UserId(user_id) for _, user_id in part],
                )
            found.update({(row.viewer_id, row.user_id): unix_ms(row.last_active_at) for row in rows})
        return found
