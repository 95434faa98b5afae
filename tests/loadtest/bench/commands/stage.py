"""A running product whose statements are traced, and what peers need to do the same as it does."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

import sql.pool
from loadtest.bench.commands.calls import COMMANDS, BenchCaller, Call, World
from loadtest.bench.commands.installation import peer_url
from loadtest.bench.commands.plans import PLANS
from loadtest.bench.commands.statements import read_statements
from tests.house.checkout import CHECKOUT
from tests.kit.device import Device
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


@asynccontextmanager
async def running_stage(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, **overrides: object
) -> AsyncIterator[Stage]:
    trace, use_orjson = Trace(), sql.pool.use_orjson

    async def traced(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        await use_orjson(connection)
        await trace.attach(connection)

    monkeypatch.setattr(sql.pool, "use_orjson", traced)
    async with running_server(settings_for_tests(database_url, redis_url, **overrides), work=False) as server:
        me, other, followed = [await server.person(f"person{next(_numbers)}") for _ in range(3)]
        post = await other.do("/posts", "post:create", {"text": "one"})
        # A page without posts is read twice.
        await followed.do("/posts", "post:create", {"text": "two"})
        await me.do("/users", "user:follow", {"user_id": followed.id})
        opened = await me.do("/chat", "conversation:open", {"user_id": other.id})
        caller = BenchCaller(int(me.id), me.access_token, int(opened["conversation"]["id"]))
        world = World((caller,), (int(post["post"]["id"]),), (int(other.id),))
        yield Stage(server, trace, world, await me.main_device())


def peer_database(database_url: str) -> str:
    """The module's database, as peers connect to it."""
    return peer_url(database_url, urlsplit(database_url).path.removeprefix("/"))
