"""An account is erased in small parts, and every count that it was part of stays the number of its rows."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg

from server.monitoring.metrics import Metrics
from server.worker.account_eraser import AccountEraser
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.clock import ManualClock
from tests.kit.pool import opened_pool

WITHIN_S: Final = 20
DAY_S: Final = 86_400
PEOPLE: Final = 701
"""More than go in three transactions."""

MISCOUNTED: Final = """
SELECT (
    SELECT count(*) FROM users u WHERE
        u.follower_count <> (SELECT count(*) FROM follows f WHERE f.followed_id = u.id)
        OR u.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id)
        OR u.post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND p.deleted_at IS NULL)
) + (
    SELECT count(*) FROM posts p WHERE
        p.like_count <> (SELECT count(*) FROM post_likes l WHERE l.post_id = p.id)
        OR p.comment_count <> (SELECT count(*) FROM comments c WHERE c.post_id = p.id AND c.deleted_at IS NULL)
) + (
    SELECT count(*) FROM comments c WHERE c.reply_count <> (
        SELECT count(*) FROM comments r WHERE r.parent_id = c.id AND (r.deleted_at IS NULL OR r.reply_count > 0)
    )
)
"""
"""How many counters are not the number of what they count."""

NETWORK: Final = f"""
INSERT INTO users (id, username, username_folded, phone, password_hash, following_count, follower_count)
SELECT n, 'u' || n, 'u' || n, '+' || n, 'hash', 1, 1 FROM generate_series(2, {PEOPLE}) AS n;
INSERT INTO users (id, username, username_folded, phone, password_hash, following_count, follower_count)
VALUES (1, 'u1', 'u1', '+1', 'hash', {PEOPLE - 1}, {PEOPLE - 1});
INSERT INTO follows (follower_id, followed_id) SELECT 1, n FROM generate_series(2, {PEOPLE}) AS n;
INSERT INTO follows (follower_id, followed_id) SELECT n, 1 FROM generate_series(2, {PEOPLE}) AS n;
INSERT INTO blocks (blocker_id, blocked_id) VALUES (1, 2), (3, 1);
INSERT INTO posts (id, author_id, text, like_count) SELECT n, n, 'mine', 1 FROM generate_series(1, {PEOPLE}) AS n;
UPDATE users SET post_count = 1, followers_post_count = 1, public_post_count = 1;
INSERT INTO post_likes (post_id, user_id) SELECT n, 1 FROM generate_series(1, {PEOPLE}) AS n;
-- 1 by the user, 2 and 3 below it by others and by the user; 4 deleted with only a reply of the user; 6 deleted before.
INSERT INTO comments (id, post_id, parent_id, author_id, text, reply_count, deleted_at) VALUES
    (1, 2, NULL, 1, 'a', 1, NULL), (2, 2, 1, 5, 'b', 1, NULL), (3, 2, 2, 1, 'c', 0, NULL),
    (4, 2, NULL, 5, 'd', 1, now()), (5, 2, 4, 1, 'e', 0, NULL), (6, 2, NULL, 1, 'f', 0, now());
UPDATE posts SET comment_count = 4 WHERE id = 2
"""


async def test_what_is_deleted_for_more_than_14_days_is_erased_with_exact_counts(database_url: str) -> None:
    clock, metrics = ManualClock(), Metrics()
    pool = await opened_pool(database_url)
    watching = await asyncpg.connect(database_url)
    eraser = AccountEraser(Units(pool, load_queries(), acquire_timeout_s=5), clock, metrics, every_s=0.01)
    try:
        await watching.execute(NETWORK)
        assert await watching.fetchval(MISCOUNTED) == 0
        await watching.execute("UPDATE users SET deletion_asked_at = $1 WHERE id = 1", clock.now())
        clock.advance(14 * DAY_S)
        await watching.execute("UPDATE users SET deletion_asked_at = $1 WHERE id = 9", clock.now())
        eraser.start()
        await asyncio.sleep(0)
        clock.advance(7_200)
        async with asyncio.timeout(WITHIN_S):
            while await watching.fetchval("SELECT erased_at FROM users WHERE id = 1") is None:
                await asyncio.sleep(0.01)
        assert await watching.fetchval(MISCOUNTED) == 0
        left = await watching.fetchrow(
            "SELECT (SELECT count(*) FROM follows), (SELECT count(*) FROM blocks), (SELECT count(*) FROM post_likes),"
            " (SELECT array_agg(id ORDER BY id) FROM comments WHERE text <> ''),"
            " (SELECT array_agg(id) FROM posts WHERE deleted_at IS NOT NULL),"
            " (SELECT array_agg(id) FROM users WHERE erased_at IS NOT NULL),"
            " (SELECT count(*) FROM relation_changes WHERE other_id = 1)"
        )
        assert left is not None and tuple(left) == (0, 0, 0, [2, 4], [1], [1], PEOPLE - 1)
        await eraser.stop()
        assert 'rookery_events_total{name="accounts_erased"} 1.0' in metrics.render().decode()
    finally:
        await eraser.stop()
        await watching.close()
        await close_pool(pool, timeout_s=5)
