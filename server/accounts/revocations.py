"""Which login sessions were ended lately. Every node knows them: from SQL at start, by push at once, and from SQL every
second as the truth, so that a revocation holds everywhere within two seconds even while Redis is away.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Sequence

import structlog

from handlers.ports import Clock
from realtime.process.background_tasks import end_task
from realtime.process.outage import Outage
from sql.errors import Retry, Unavailable
from sql.unit import Units

POLL_S = 1.0
OVERLAP_S = 60
"""A revocation is looked for again this long after its time, since a transaction may commit late."""

log = structlog.get_logger(__name__)


class Revocations:
    """The login sessions revoked within an access token's life; older ones are refused by their tokens' end."""

    def __init__(self, units: Units, clock: Clock, *, access_token_ttl_s: int, poll_s: float = POLL_S) -> None:
        self._units = units
        self._clock = clock
        self._poll_s = poll_s
        self._keep_s = access_token_ttl_s + OVERLAP_S
        self._revoked: dict[int, float] = {}
        self._hearers: list[Callable[[Sequence[int]], None]] = []
        self._complete_until: datetime.datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def __contains__(self, login_session_id: int) -> bool:
        return login_session_id in self._revoked

    def tell(self, hearer: Callable[[Sequence[int]], None]) -> None:
        """Lets somebody hear of each revoked session, once."""
        self._hearers.append(hearer)

    async def start(self) -> None:
        """Reads what was revoked before this node came up, and keeps reading."""
        await self._read()
        self._task = asyncio.create_task(self._poll(), name="revocations")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    def learn(self, login_session_ids: Sequence[int]) -> None:
        """Refuses these sessions from now on."""
        now_s = self._clock.now_s()
        fresh = [session_id for session_id in login_session_ids if session_id not in self._revoked]
        for session_id in fresh:
            self._revoked[session_id] = now_s
        if fresh:
            for hearer in self._hearers:
                hearer(fresh)

    async def _read(self) -> None:
        """Reads on from the last time that it could, however long ago: SQL may have been away for a while."""
        now = self._clock.now()
        since = now - datetime.timedelta(seconds=self._keep_s)
        if self._complete_until is not None:
            since = max(since, self._complete_until - datetime.timedelta(seconds=OVERLAP_S))
        async with self._units.read() as db:
            rows = await db.accounts.sessions_revoked_since(since=since)
        self.learn([row.id for row in rows])
        self._complete_until = now

    async def _poll(self) -> None:
        outage = Outage(log, "revocations_unreadable")
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self._read()
                outage.is_over()
            except (Unavailable, Retry) as error:
                outage.goes_on(error)
            except Exception:
                log.exception("revocations_failed")
            self._forget_old()

    def _forget_old(self) -> None:
        oldest_s = self._clock.now_s() - self._keep_s
        for session_id in [key for key, learned_s in self._revoked.items() if learned_s < oldest_s]:
            del self._revoked[session_id]
