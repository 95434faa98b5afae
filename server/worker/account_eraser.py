"""Erases accounts that were deleted so long ago that they cannot be taken back."""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

import structlog

from handlers.accounts.state_contract import TAKEN_BACK_WITHIN
from handlers.ports import Clock
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from server.monitoring.metrics import Metrics
from sql.database import Database
from sql.errors import Retry, Unavailable
from sql.ids import UserId
from sql.unit import Units

ERASE_EVERY_S = 600.0
BATCH: Final = 200
ERASED_AFTER: Final = TAKEN_BACK_WITHIN + datetime.timedelta(hours=1)
"""By then it can be taken back by the clock of no node."""

log = structlog.get_logger(__name__)


class AccountEraser:
    """One account after the other, in small transactions: what it had to do with others first, then the account itself.

    Any number of processes may erase at the same time: an account that another one has locked is skipped.
    """

    def __init__(self, units: Units, clock: Clock, metrics: Metrics, *, every_s: float = ERASE_EVERY_S) -> None:
        self._units = units
        self._clock = clock
        self._metrics = metrics
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="account-eraser")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        outage = OutageLog(log, "account_erasing_waits", known=(Unavailable, Retry))
        while True:
            try:
                while await self._erase_part():
                    pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(self._every_s)

    async def _erase_part(self) -> bool:
        """False: there is no account to erase."""
        async with self._units.write() as db:
            accounts = db.accounts
            user_id = await accounts.lock_account_to_erase(deleted_before=self._clock.now() - ERASED_AFTER)
            if user_id is None:
                return False
            is_last = not await _erase_what_it_left(db, user_id)
            if is_last:
                await accounts.erase_account(user_id=user_id)
        if is_last:
            self._metrics.count("accounts_erased", 1)
        return True


async def _erase_what_it_left(db: Database, user_id: UserId) -> bool:
    """A part of its posts, its comments, and what else others see of it. False: nothing was left."""
    accounts = db.accounts
    post_ids = await accounts.posts_to_erase(user_id=user_id, row_limit=BATCH)
    for post_id in post_ids:
        await db.shares.lock_with_shared(post_id=post_id)
        await db.posts.delete_post(post_id=post_id, author_id=user_id)
        await db.shares.change_shares(shared_id=post_id)
    comments = await accounts.comments_to_erase(user_id=user_id, row_limit=BATCH)
    for comment in comments:
        await db.posts.lock_post(post_id=comment.post_id)
        await db.comments.delete_comment(comment_id=comment.id)
    await accounts.erase_comments(comment_ids=[comment.id for comment in comments])
    return bool(post_ids or comments or await accounts.erase_traces(user_id=user_id, row_limit=BATCH))
