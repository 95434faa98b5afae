"""The use cases of words that hide."""

from __future__ import annotations

import datetime

from handlers.context import Context, Outcome
from handlers.filters.contract import FILTERS_MAX, RemoveFilter, SetFilter, WordFilter, WordFilters
from handlers.filters.notices import feed_changed
from handlers.subjects import words_subject
from realtime.contract.emissions import Withdraw
from realtime.contract.errors import CONFLICT, CommandError
from realtime.contract.wire import Empty, unix_ms
from sql.feed import WordFilterRow


async def list_filters(ctx: Context, cmd: Empty) -> Outcome[WordFilters]:
    return Outcome(await _filters(ctx))


async def set_filter(ctx: Context, cmd: SetFilter) -> Outcome[WordFilters]:
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    done = await ctx.db.filters.set_filter(
        user_id=ctx.user_id, phrase=cmd.phrase, ends_at=_moment(cmd.until_ms), max_count=FILTERS_MAX
    )
    if done is None:
        raise CommandError(CONFLICT, f"You have {FILTERS_MAX} filters already: remove one first.")
    # Pushes whose recipients were read before this change may be on their way; and where nothing changed now, the node
    # that changed it may have died before it said so.
    withdrawn = Withdraw(words_subject(0).name, done.changed + 1, (ctx.user_id,))
    told = (feed_changed(ctx.user_id),) if done.is_new else ()
    return Outcome(await _filters(ctx), pushes=told, signals=(withdrawn,))


async def remove_filter(ctx: Context, cmd: RemoveFilter) -> Outcome[WordFilters]:
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    done = await ctx.db.filters.remove_filter(user_id=ctx.user_id, phrase=cmd.phrase)
    return Outcome(await _filters(ctx), pushes=() if done is None else (feed_changed(ctx.user_id),))


async def _filters(ctx: Context) -> WordFilters:
    rows = await ctx.db.filters.list_filters(user_id=ctx.user_id)
    return WordFilters(filters=[_filter(row) for row in rows])


def _filter(row: WordFilterRow) -> WordFilter:
    return WordFilter(phrase=row.phrase, until_ms=None if row.ends_at is None else unix_ms(row.ends_at))


def _moment(until_ms: int | None) -> datetime.datetime | None:
    if until_ms is None:
        return None
    return datetime.datetime.fromtimestamp(until_ms / 1_000, datetime.UTC)
