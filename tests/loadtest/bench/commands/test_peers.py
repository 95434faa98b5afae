"""The peers do what the product does: the same statements in the same order, with the same answers and settings."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from loadtest.bench.calls import NAMESPACES
from loadtest.bench.commands.installation import peer_url
from loadtest.bench.commands.participants import NODE_PEER
from loadtest.bench.commands.statements import write_statements
from loadtest.bench.processes import ServerProcess
from loadtest.peers.bare_asyncpg import BareCallers, values_of
from tests.kit.device import Device
from tests.kit.pool import opened_pool
from tests.loadtest.bench.commands.stage import NODE_IS_MISSING, STATEMENTS, Stage, Trace, peer_database, planned


async def test_the_product_executes_what_is_planned(stage: Stage) -> None:
    for number, call in enumerate(stage.calls()):
        stage.trace.clear()
        await stage.device.do(call.namespace, call.name, dict(call.payload))
        executed = stage.trace.of_commands()
        assert number == 0 or executed == planned(call.name, of_product=True), f"{call.name}: see plans.py"


async def test_a_feed_without_posts_is_read_by_one_statement(stage: Stage) -> None:
    lonely = await stage.server.person("lonely")
    for _ in range(2):  # the first one builds the list
        stage.trace.clear()
        assert (await lonely.do("/feed", "feed:page", {"limit": 20}))["items"] == []
    assert stage.trace.of_commands() == planned("feed:page", of_product=True)


async def test_bare_asyncpg_executes_it_too(stage: Stage, database_url: str) -> None:
    trace = Trace()
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1, init=trace.attach) as pool:
        callers = BareCallers(pool, stage.world, STATEMENTS)
        for number, call in enumerate(stage.calls()):
            trace.clear()
            await callers.execute(call.name, values_of(call, stage.world.callers[0].user_id))
            assert number == 0 or trace.of_commands() == planned(call.name), call.name


@pytest.mark.skipif(NODE_IS_MISSING, reason="the packages of loadtest/peers/node are missing: ./run test installs them")
async def test_node_executes_it_too_and_answers_as_the_product_does(
    stage: Stage, database_url: str, tmp_path: Path
) -> None:
    exported = tmp_path / "statements.json"
    write_statements(STATEMENTS, exported)
    options = ("--statements", str(exported), "--database", peer_database(database_url), "--pool", "2", "--trace")
    async with AsyncExitStack() as stack:
        peer = stack.enter_context(ServerProcess(("node", str(NODE_PEER), *options)))
        peer.ready()
        device = Device()
        stack.push_async_callback(device.close)
        me = str(stage.world.callers[0].user_id)
        await device.connect(f"http://127.0.0.1:{peer.port}", {"user_id": me}, NAMESPACES)
        for number, call in enumerate(stage.calls()):
            # The peer is first: what the product finds done already is answered, but changes nothing.
            answers = [
                shape(await one.do(call.namespace, call.name, dict(call.payload))) for one in (device, stage.device)
            ]
            assert answers[0] == answers[1], call.name
            expected = ["feed.home_ids"] * (number == 0) + planned(call.name)
            told = [json.loads(peer.next_line(10)) for _ in expected]
            assert told == expected, call.name


async def test_the_peers_have_the_settings_of_the_product(database_url: str) -> None:
    # In a database without the settings that the product stores in its own.
    peer = await asyncpg.connect(peer_url(database_url, "postgres"))
    pool = await opened_pool(database_url)
    query = "SELECT name, setting FROM pg_settings WHERE category LIKE 'Query Tuning%' ORDER BY name"
    try:
        async with pool.lend() as ours:
            assert await peer.fetch(query) == await ours.fetch(query)
    finally:
        await peer.close()
        await pool.close(timeout_s=5)


def shape(value: Any) -> Any:
    """The names and types in an answer."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value)
