"""The kept list of a home feed, or what stands in for it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import neg

import structlog

from handlers.context import Beforehand
from realtime.redis_client import StoreUnavailable
from sql.ids import MAX_ID, PostId

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HomeList:
    """Ids of posts pushed to one person, newest first. Every one above `floor` is there; SQL knows the rest."""

    ids: Sequence[int]
    floor: int

    def window(self, before: int, size: int) -> tuple[list[PostId], PostId]:
        """The newest `size` ids below `before`, and the floor that is true of these.

        SQL looks at each id that it is given, so a page is given those that it may need and not the whole list.
        """
        start = bisect_right(self.ids, -before, key=neg)
        ids = [PostId(post_id) for post_id in self.ids[start : start + size]]
        floor = max(self.floor, ids[-1]) if len(ids) == size else self.floor
        return ids, PostId(floor)


ALL_FROM_SQL = HomeList((), MAX_ID)


async def home_list(beforehand: Beforehand) -> HomeList:
    """The caller's list; where there is none it is built now. Never waits for another builder nor for a lost Redis: SQL
    answers the page then.
    """
    try:
        kept = await beforehand.services.feeds.read(beforehand.user_id)
        if kept is not None:
            return HomeList(kept.ids, kept.floor)
        return await _build(beforehand)
    except StoreUnavailable as error:
        log.warning("feed_lists_unavailable", error=str(error))
        return ALL_FROM_SQL


async def _build(beforehand: Beforehand) -> HomeList:
    feeds, user_id = beforehand.services.feeds, beforehand.user_id
    # Pushes land in the list from here on, so what is committed after the rows below were read is not lost.
    token = await feeds.begin_rebuild(user_id)
    if token is None:
        return ALL_FROM_SQL
    longest = beforehand.services.policy.feed_list_max
    async with beforehand.read() as connection:
        ids = await beforehand.sql.feed.home_ids(connection, viewer_id=user_id, id_limit=longest)
    # A list that is not full holds everything there is.
    built = HomeList(ids, ids[-1] if len(ids) == longest else 0)
    await feeds.finish_rebuild(user_id, token, built.ids, built.floor)
    return built
