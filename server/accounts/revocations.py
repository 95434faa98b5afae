"""Which login sessions were revoked recently.

Every node reads them from SQL at its start and every second, and receives new ones over the backplane at once: a
revocation holds on all nodes within two seconds even while Redis is away.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Sequence

import structlog

from handlers.ports import Clock
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from sql.errors import Retry, Unavailable
from sql.unit import Units

POLL_S = 1.0
OVERLAP_S = 60
"""Each read goes this far back behind the previous one: a transaction may commit long after its time of revocation."""

log = structlog.get_logger(__name__)


class Revocations:
    """The login sessions that were revoked within the life of an access token; the tokens of older ones have expired.

    `on_revoked` gets each revoked login session once.
    """

    def __init__(
        self,
        units: Units,
        clock: Clock,
        *,
        access_token_ttl_s: int,
        on_revoked: Callable[[Sequence[int]], None],
        poll_s: float = POLL_S,
    ) -> None:
        self._units = units
        self._clock = clock
        self._poll_s = poll_s
        self._keep_s = access_token_ttl_s + OVERLAP_S
        self._revoked: dict[int, float] = {}
        self._on_revoked = on_revoked
        self._complete_until: datetime.datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def __contains__(self, login_session_id: int) -> bool:
        return login_session_id in self._revoked

    async def start(self) -> None:
        """Returns when the revocations from before this node's start are known; then reads on in the background."""
        await self._read()
        self._task = asyncio.create_task(self._poll(), name="revocations")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    def add(self, login_session_ids: Sequence[int]) -> None:
        """These login sessions are refused from now on."""
        now_s = self._clock.now_s()
        new = [session_id for session_id in login_session_ids if session_id not in self._revoked]
        for session_id in new:
            self._revoked[session_id] = now_s
        if new:
            self._on_revoked(new)

    async def _read(self) -> None:
        """Reads what was revoked since the last successful read, however long ago that was."""
        now = self._clock.now()
        since = now - datetime.timedelta(seconds=self._keep_s)
        if self._complete_until is not None:
            since = max(since, self._complete_until - datetime.timedelta(seconds=OVERLAP_S))
        rows = await self._units.reads.accounts.sessions_revoked_since(since=since)
        self.add([row.id for row in rows])
        self._complete_until = now

    async def _poll(self) -> None:
        outage = OutageLog(log, "revocations_unreadable", known=(Unavailable, Retry))
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self._read()
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            self._forget_old()

    def _forget_old(self) -> None:
        oldest_s = self._clock.now_s() - self._keep_s
        for session_id in [key for key, added_s in self._revoked.items() if added_s < oldest_s]:
            del self._revoked[session_id]
