"""The peers do what the product does: the same statements in the same order, with the same answers and settings."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

import sql.pool
from loadtest.bench.commands.calls import COMMANDS, NAMESPACES, BenchCaller, Call, World
from loadtest.bench.commands.installation import peer_url
from loadtest.bench.commands.participants import NODE_PEER
from loadtest.bench.commands.plans import PLANS
from loadtest.bench.commands.statements import read_statements, write_statements
from loadtest.bench.processes import ServerProcess
from loadtest.peers.bare_asyncpg import BareCallers, values_of
from tests.house.checkout import CHECKOUT
from tests.kit.device import Device
from tests.kit.pool import opened_pool
from tests.kit.server import RunningServer, running_server, settings_for_tests

STATEMENTS = read_statements()
NAMES = {statement.text: name for name, statement in STATEMENTS.items()} | {"BEGIN;": "BEGIN", "COMMIT;": "COMMIT"}
OF_PLANS = {step.statement for plan in PLANS.values() for step in plan.steps}
NODE_IS_MISSING = shutil.which("node") is None or not (CHECKOUT / "loadtest/peers/node/node_modules/pg").exists()

_numbers = itertools.count()


class Trace:
    """The statements of each connection, in order."""

    def __init__(self) -> None:
        self._of_connections: list[list[str]] = []

    async def attach(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        names: list[str] = []
        self._of_connections.append(names)
        connection.add_query_logger(lambda record: names.append(NAMES.get(record.query, record.query)))

    def clear(self) -> None:
        for names in self._of_connections:
            names.clear()

    def of_commands(self) -> list[str]:
        """Without what the background tasks of a node execute: transactions and statements that no plan has."""
        found: list[str] = []
        for names in self._of_connections:
            for unit in _units(names):
                if all(name in OF_PLANS for name in unit if name not in ("BEGIN", "COMMIT")):
                    found += unit
        return found


def _units(names: Sequence[str]) -> list[list[str]]:
    """Each committed transaction by itself, and each statement outside of one."""
    units: list[list[str]] = []
    is_open = False
    for name in names:
        if is_open:
            units[-1].append(name)
        elif name != "COMMIT":  # of a transaction that began before the trace
            units.append([name])
        is_open = (is_open or name == "BEGIN") and name != "COMMIT"
    return units[:-1] if is_open else units


def planned(name: str) -> list[str]:
    steps = [step.statement for step in PLANS[name].steps]
    return ["BEGIN", *steps, "COMMIT"] if PLANS[name].in_transaction else steps


class Stage:
    """A running product whose statements are traced, and the people in it."""

    def __init__(self, server: RunningServer, trace: Trace, world: World, device: Device) -> None:
        self.server = server
        self.trace = trace
        self.world = world
        self.device = device

    def calls(self) -> list[Call]:
        """One of each command; each changes something. A feed's list is built by the first of two calls."""
        calls = [call for command in COMMANDS for call in self.world.calls(command, 0)]
        return [Call("feed:page", {"limit": 20}), *{call.name: call for call in calls}.values()]


@pytest_asyncio.fixture
async def stage(database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    trace, use_orjson = Trace(), sql.pool.use_orjson

    async def traced(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        await use_orjson(connection)
        await trace.attach(connection)

    monkeypatch.setattr(sql.pool, "use_orjson", traced)
    async with running_server(settings_for_tests(database_url, redis_url), work=False) as server:
        me, other, followed = [await server.person(f"person{next(_numbers)}") for _ in range(3)]
        post = await other.do("/posts", "post:create", {"text": "one"})
        # A page without posts is read twice.
        await followed.do("/posts", "post:create", {"text": "two"})
        await me.do("/users", "user:follow", {"user_id": followed.id})
        opened = await me.do("/chat", "conversation:open", {"user_id": other.id})
        caller = BenchCaller(int(me.id), me.access_token, int(opened["conversation"]["id"]))
        world = World((caller,), (int(post["post"]["id"]),), (int(other.id),))
        yield Stage(server, trace, world, await me.main_device())


async def test_the_product_executes_what_is_planned(stage: Stage) -> None:
    for number, call in enumerate(stage.calls()):
        stage.trace.clear()
        await stage.device.do(call.namespace, call.name, dict(call.payload))
        assert number == 0 or stage.trace.of_commands() == planned(call.name), call.name


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
    database = peer_url(database_url, urlsplit(database_url).path.removeprefix("/"))
    options = ("--statements", str(exported), "--database", database, "--pool", "2", "--trace")
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
    peer = await asyncpg.connect(peer_url(database_url, urlsplit(database_url).path.removeprefix("/")))
    pool = await opened_pool(database_url)
    query = "SELECT name, setting FROM pg_settings WHERE category LIKE 'Query Tuning%' ORDER BY name"
    try:
        assert await peer.fetch(query) == await pool.fetch(query)
    finally:
        await peer.close()
        await pool.close()


def shape(value: Any) -> Any:
    """The names and types in an answer."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value)
