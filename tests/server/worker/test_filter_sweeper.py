"""A filter ends once, with a Fact for its owner, and others stay."""

from __future__ import annotations

import asyncio

import asyncpg

from server.worker.filter_sweeper import FilterSweeper
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool

WITHIN_S = 20


async def test_filters_end_at_their_time(database_url: str) -> None:
    pool = await opened_pool(database_url)
    watching = await asyncpg.connect(database_url)
    sweeper = FilterSweeper(Units(pool, load_queries(), acquire_timeout_s=5), every_s=0.01)
    try:
        await watching.execute(
            """
            INSERT INTO users (id, username, username_folded, phone, password_hash)
            SELECT n, 'u' || n, 'u' || n, '+' || n, '' FROM generate_series(1, 2) AS n;
            INSERT INTO word_filters (user_id, words, phrase, ends_at)
            VALUES (1, ' a ', 'a', now()), (1, ' b ', 'b', now()), (1, ' c ', 'c', NULL), (2, ' d ', 'd', 'infinity')
            """
        )
        sweeper.start()
        async with asyncio.timeout(WITHIN_S):
            while await watching.fetchval("SELECT count(*) FROM word_filters") > 2:
                await asyncio.sleep(0.01)
        await sweeper.stop()
        facts = await watching.fetch("SELECT payload->>'user_id' FROM facts WHERE name = 'filter.ended'")
        assert [tuple(row) for row in facts] == [("1",)]
        assert await watching.fetchval("SELECT array_agg(id) FROM users WHERE audience_changed > 0") == [1]
    finally:
        await sweeper.stop()
        await watching.close()
        await close_pool(pool, timeout_s=5)
