"""What is gone for longer than any position of a client is removed, and what is not stays."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from server.monitoring.metrics import Metrics
from server.worker.tombstone_sweeper import TombstoneSweeper
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.clock import ManualClock
from tests.kit.pool import opened_pool

WITHIN_S = 20
DAY_S: Final = 86_400
LIKES = 12_000
"""More than go in one transaction."""


async def test_deleted_posts_and_changed_relations_go_after_31_days(database_url: str) -> None:
    clock, metrics = ManualClock(), Metrics()
    pool = await opened_pool(database_url)
    watching = await asyncpg.connect(database_url)
    sweeper = TombstoneSweeper(Units(pool, load_queries(), acquire_timeout_s=5), clock, metrics, every_s=0.01)
    try:
        await watching.execute(
            f"""
            INSERT INTO users (id, username, username_folded, phone, password_hash)
            SELECT n, 'u' || n, 'u' || n, '+' || n, '' FROM generate_series(1, {LIKES}) AS n;
            INSERT INTO posts (id, author_id, text) SELECT n, 1, '' FROM generate_series(1, 3) AS n;
            INSERT INTO post_likes (post_id, user_id) SELECT 1, n FROM generate_series(1, {LIKES}) AS n;
            INSERT INTO comments (id, post_id, author_id, text) VALUES (1, 1, 1, 'well'), (3, 3, 1, 'well');
            INSERT INTO bookmarks (user_id, post_id, author_id) SELECT 1, n, 1 FROM generate_series(1, 3) AS n;
            INSERT INTO bookmarks (user_id, post_id, author_id) SELECT 2, n, 1 FROM generate_series(2, 3) AS n;
            INSERT INTO relation_changes (user_id, other_id) SELECT 1, n FROM generate_series(2, 4) AS n
            """
        )
        await watching.execute("UPDATE posts SET deleted_at = $1 WHERE id < 3", clock.now())
        await watching.execute("UPDATE relation_changes SET changed_at = $1 WHERE other_id = 2", clock.now())
        await watching.execute("UPDATE bookmarks SET removed_at = $1 WHERE post_id = 2", clock.now())
        clock.advance(DAY_S)
        await watching.execute("UPDATE posts SET deleted_at = $1 WHERE id = 2", clock.now())
        await watching.execute("UPDATE relation_changes SET changed_at = $1 WHERE other_id = 3", clock.now())
        clock.advance(30 * DAY_S + 1)
        await watching.execute("UPDATE relation_changes SET changed_at = $1 WHERE other_id = 4", clock.now())
        sweeper.start()
        async with asyncio.timeout(WITHIN_S):
            while await watching.fetchval("SELECT count(*) FROM posts") == 3:
                await asyncio.sleep(0.01)
            while await watching.fetchval("SELECT count(*) FROM relation_changes") == 3:
                await asyncio.sleep(0.01)
            while await watching.fetchval("SELECT count(*) FROM bookmarks") > 2:
                await asyncio.sleep(0.01)
        left = await watching.fetchrow(
            "SELECT (SELECT array_agg(id ORDER BY id) FROM posts), (SELECT count(*) FROM post_likes),"
            " (SELECT array_agg(id) FROM comments), (SELECT array_agg(user_id ORDER BY 1) FROM bookmarks),"
            " (SELECT array_agg(other_id ORDER BY 1) FROM relation_changes)"
        )
        assert left is not None and tuple(left) == ([2, 3], 0, [3], [1, 2], [3, 4])
        await sweeper.stop()
        rows = LIKES + 1 + 1 + 1 + 3
        assert f'rookery_events_total{{name="tombstone_rows_deleted"}} {rows}.0' in metrics.render().decode()
    finally:
        await sweeper.stop()
        await watching.close()
        await close_pool(pool, timeout_s=5)
