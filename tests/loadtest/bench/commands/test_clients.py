"""The load clients call the product, and say what went wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from loadtest.bench.commands.clients import Callers
from loadtest.bench.connecting_socket import ClientFailed
from tests.loadtest.bench.commands.stage import Stage, running_stage


async def test_all_answers_within_the_time_are_counted(stage: Stage) -> None:
    callers = Callers(stage.server.node.port, stage.world)
    assert await callers.connect(count=1) == {"connected": 1}
    stage.trace.clear()
    told = await callers.run(command="like", sockets=1, for_s=0.1)
    executed = stage.trace.of_commands()
    assert told["commands"] == executed.count("posts.set_like") > 1
    assert told["elapsed_s"] >= 0.1 and 0 < told["p50_ms"] <= told["p99_ms"]
    callers.close()


async def test_a_refused_command_ends_the_run(stage: Stage) -> None:
    callers = Callers(stage.server.node.port, replace(stage.world, post_ids=(1,)))
    await callers.connect(count=1)
    with pytest.raises(ClientFailed, match="not_found"):
        await callers.run(command="like", sockets=1, for_s=10)
    callers.close()


async def test_a_command_refused_under_load_is_counted_by_itself(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_stage(database_url, redis_url, monkeypatch, statement_timeout_ms=300) as stage:
        callers = Callers(stage.server.node.port, stage.world)
        await callers.connect(count=1)
        blocker = await asyncpg.connect(database_url)
        try:
            async with blocker.transaction():
                await blocker.execute("SELECT FROM posts FOR UPDATE")
                with pytest.raises(ClientFailed, match="all 1 commands were refused"):
                    await callers.run(command="like", sockets=1, for_s=10)
        finally:
            await blocker.close()
        told = await callers.run(command="like", sockets=1, for_s=0.05)
        assert told["commands"] > 0 == told["refused"]
        callers.close()


async def test_a_client_that_was_closed_meanwhile_fails_the_next_run(stage: Stage) -> None:
    callers = Callers(stage.server.node.port, stage.world)
    await callers.connect(count=1)
    callers.close()
    await asyncio.sleep(0)
    with pytest.raises(ClientFailed, match="closed"):
        await callers.run(command="profile", sockets=1, for_s=10)
