"""Many clients that come back at once are read by few statements."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.loadtest.bench.commands.stage import running_stage

CLIENTS = 300


async def test_a_crowd_that_comes_back_at_once_is_read_by_few_statements(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_stage(database_url, redis_url, monkeypatch) as stage:
        (caller,) = stage.world.callers
        for payload in ({"cursor": caller.cursor}, {"limit": 5}):
            stage.trace.clear()
            answers = await asyncio.gather(
                *(stage.server.rest("POST", "/sync", payload, token=caller.access_token) for _ in range(CLIENTS))
            )
            assert [status for status, _ in answers] == [200] * CLIENTS
            executed = Counter(stage.trace.of_commands())
            assert executed["sync.peek"] >= 1
            assert max(executed.values()) < CLIENTS / 3, executed
