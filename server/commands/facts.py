"""Shows and changes what the consumers of the log of Facts have read."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from server.cli_error import CliError
from server.commands.backing_services import dependencies, report
from server.config import Settings
from sql.database import Database, load_queries
from sql.ids import MAX_ID, FactId
from sql.pool import close_pool, open_pool
from sql.unit import Units

PAGE = 100
COUNT_LIMIT = 100_000
"""Waiting Facts are counted up to so many a lane."""


def show_lags(settings: Settings) -> None:
    """Prints a line per consumer: what waits for it, for how long, what it has given up on, and who reads its lanes."""

    async def show(db: Database) -> None:
        rows = await db.facts.read_lags(count_limit=COUNT_LIMIT)
        width = max((len(row.consumer) for row in rows), default=0)
        for row in rows:
            print(
                f"{row.consumer:<{width}}  {row.fact_count:>7} waiting  {row.age_s:>8.1f} s"
                f"  {row.parked_count:>5} parked  {row.worker_count} workers"
            )
        held_s = await db.facts.read_held()
        if held_s > 1:
            report(f"Facts of the last {held_s:.0f} s wait for an open transaction")

    _run(settings, show)


def show_parked(settings: Settings) -> None:
    """Prints a line for each parked Fact, the newest first."""

    async def show(db: Database) -> None:
        seen: set[tuple[int, str]] = set()
        before = FactId(MAX_ID)
        while True:
            rows = await db.facts.list_parked(before_fact_id=before, page_size=PAGE)
            fresh = [row for row in rows if (row.fact_id, row.consumer) not in seen]
            if not fresh:
                break
            for row in fresh:
                seen.add((row.fact_id, row.consumer))
                print(f"{row.parked_at:%Y-%m-%d %H:%M:%S} {row.consumer} {row.name} {row.payload}: {row.error}")
            # The last Fact of the page is read again: several consumers may have parked it.
            before = FactId(rows[-1].fact_id + 1)
        report(f"{len(seen)} parked facts")

    _run(settings, show)


def replay(settings: Settings) -> None:
    """Lets the consumers try their parked Facts again; a worker does so within a second or two."""

    async def ask(db: Database) -> None:
        report(f"{await db.facts.ask_replay()} parked facts are tried again")

    _run(settings, ask)


def rewind(settings: Settings, consumer: str, *, to: datetime.datetime) -> None:
    """Lets a consumer deal again with the Facts of that moment and later; no pushes are sent for those it has had."""

    async def move(db: Database) -> None:
        await _require_known(db, consumer)
        report(f"{await db.facts.rewind(consumer=consumer, moment=to)} lanes of {consumer} moved back")

    _run(settings, move)


def forget(settings: Settings, consumer: str) -> None:
    """Removes a consumer that no worker has any more: Facts are kept until every known consumer has read them."""

    async def remove(db: Database) -> None:
        await _require_known(db, consumer)
        if consumer in [row.consumer for row in await db.facts.read_lags(count_limit=1) if row.worker_count]:
            raise CliError(f"workers read the lanes of {consumer}: it would go without Facts until they start anew")
        await db.facts.forget_consumer(consumer=consumer)
        report(f"{consumer} is forgotten")

    _run(settings, remove)


async def _require_known(db: Database, consumer: str) -> None:
    known = [row.consumer for row in await db.facts.read_lags(count_limit=1)]
    if consumer not in known:
        raise CliError(f"there is no consumer {consumer}; there are: {', '.join(known) or 'none'}")


def _run(settings: Settings, work: Callable[[Database], Awaitable[None]]) -> None:
    with dependencies(settings, redis=False) as reached:
        asyncio.run(_run_on(reached, work))


async def _run_on(settings: Settings, work: Callable[[Database], Awaitable[None]]) -> None:
    async with _units(settings) as units, units.write() as db:
        await work(db)


@asynccontextmanager
async def _units(settings: Settings) -> AsyncIterator[Units]:
    pool = await open_pool(
        settings.database_url,
        min_size=1,
        max_size=1,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        named_statements=settings.database_named_statements,
    )
    try:
        yield Units(pool, load_queries(), acquire_timeout_s=settings.acquire_timeout_s)
    finally:
        await close_pool(pool, timeout_s=settings.connect_timeout_s)
