"""Shows the Facts that a consumer failed on too often, and lets the consumers try them again."""

import asyncio

from server.commands.backing_services import dependencies, report
from server.config import Settings
from sql.database import load_queries
from sql.ids import MAX_ID, FactId
from sql.pool import close_pool, open_pool
from sql.unit import Units

PAGE = 100


def parked(settings: Settings, *, replay: bool) -> None:
    """Prints a line for each parked Fact, the newest first; with `replay` they go to their consumers again."""
    with dependencies(settings, redis=False) as reached:
        count = asyncio.run(_list(reached, replay=replay))
    report(f"{count} parked facts{', sent again' if replay and count else ''}")


async def _list(settings: Settings, *, replay: bool) -> int:
    pool = await open_pool(
        settings.database_url,
        min_size=1,
        max_size=1,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        named_statements=settings.database_named_statements,
    )
    units = Units(pool, load_queries(), acquire_timeout_s=settings.acquire_timeout_s)
    seen: set[tuple[int, str]] = set()
    before = FactId(MAX_ID)
    try:
        while True:
            async with units.write() as db:
                rows = await db.facts.list_parked(before_fact_id=before, page_size=PAGE)
                fresh = [row for row in rows if (row.fact_id, row.consumer) not in seen]
                for row in fresh:
                    seen.add((row.fact_id, row.consumer))
                    print(f"{row.parked_at:%Y-%m-%d %H:%M:%S} {row.consumer} {row.fact} {row.payload}: {row.error}")
                    if replay:
                        await db.facts.replay(fact_id=row.fact_id, consumer=row.consumer)
            if not fresh:
                return len(seen)
            # The last fact of the page is read again: several consumers may have parked it.
            before = FactId(rows[-1].fact_id + 1)
    finally:
        await close_pool(pool, timeout_s=settings.connect_timeout_s)
