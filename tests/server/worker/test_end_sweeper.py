"""What has an end is ended soon after it, once, and in batches."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from server.worker import end_sweeper
from server.worker.end_sweeper import EndSweeper
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool

WITHIN_S = 20


async def test_mutes_whose_time_is_over_end_in_batches(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_sweeper, "BATCH", 2)
    woken: list[None] = []
    pool = await opened_pool(database_url)
    watching = await asyncpg.connect(database_url)
    units = Units(pool, load_queries(), acquire_timeout_s=5)
    sweepers = [EndSweeper(units, lambda: woken.append(None), every_s=0.01) for _ in range(2)]
    try:
        await watching.execute(
            """
            INSERT INTO users (id, username, username_folded, phone, password_hash)
            SELECT n, 'u' || n, 'u' || n, '+' || n, '' FROM generate_series(1, 9) AS n;
            INSERT INTO mutes (muter_id, muted_id, muted_until) SELECT n, n + 1, now() FROM generate_series(1, 5) AS n;
            INSERT INTO mutes (muter_id, muted_id, muted_until) VALUES (1, 8, NULL), (1, 9, now() + interval '1 hour')
            """
        )
        for sweeper in sweepers:
            sweeper.start()
        async with asyncio.timeout(WITHIN_S):
            while await watching.fetchval("SELECT count(*) FROM mutes") > 2:
                await asyncio.sleep(0.01)
        told = await watching.fetch(
            "SELECT payload ->> 'muter_id' AS id FROM facts WHERE name = 'mute.ended' ORDER BY 1"
        )
        assert [row["id"] for row in told] == ["1", "2", "3", "4", "5"]
        changed = (
            "SELECT count(*) FROM users u JOIN relation_changes c ON c.user_id = u.id WHERE u.audience_changed > 0"
        )
        assert await watching.fetchval(changed) == 5
        assert len(woken) >= 2
    finally:
        for sweeper in sweepers:
            await sweeper.stop()
        await watching.close()
        await close_pool(pool, timeout_s=5)
