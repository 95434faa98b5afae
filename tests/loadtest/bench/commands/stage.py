"""A running product whose statements are traced, and what peers need to do the same as it does."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

import sql.pool
from loadtest.bench.calls import COMMANDS, BenchCaller, Call, World
from loadtest.bench.commands.installation import peer_url
from loadtest.bench.commands.plans import PLANS
from loadtest.bench.commands.statements import read_statements
from tests.house.checkout import CHECKOUT
from tests.kit.device import Device
from tests.kit.server import RunningServer, running_server, settings_for_tests

STATEMENTS = read_statements()
NAMES = {statement.text: name for name, statement in STATEMENTS.items()} | {"BEGIN;": "BEGIN", "COMMIT;": "COMMIT"}
NODE_IS_MISSING = shutil.which("node") is None or not (CHECKOUT / "loadtest/peers/node/node_modules/pg").exists()

_numbers = itertools.count()


BACKGROUND = {
    "accounts.sessions_revoked_since",
    "facts.take_unsent",
    "people.list_last_seen",
    "people.note_last_seen",
}
"""What a node executes by itself."""


class Trace:
    """The names of the statements that were executed, in order, with BEGIN and COMMIT."""

    def __init__(self) -> None:
        self._executed: list[tuple[int, str]] = []
        self._connections = itertools.count()

    async def attach(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        number = next(self._connections)
        connection.add_query_logger(lambda record: self._executed.append((number, NAMES.get(record.query, ""))))

    def clear(self) -> None:
        self._executed.clear()

    def of_commands(self) -> list[str]:
        """Without the statements of background tasks, and those of asyncpg itself."""
        units: list[list[str]] = []
        open_units: dict[int, list[str]] = {}
        for connection, name in self._executed:
            if connection in open_units:
                open_units[connection].append(name)
                if name == "COMMIT":
                    del open_units[connection]
            elif name != "COMMIT":  # of a transaction that began before the trace
                units.append([name])
                if name == "BEGIN":
                    open_units[connection] = units[-1]
        ended = [unit for unit in units if not any(unit is still_open for still_open in open_units.values())]
        return [name for unit in ended if not {"", *BACKGROUND} & set(unit) for name in unit]


def planned(name: str, *, of_product: bool = False) -> list[str]:
    """The statements of a command: those of the peers, or those of the product."""
    return [step.of_product if of_product else step.statement for step in PLANS[name].steps]


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
        await followed.do("/posts", "post:create", {"text": "two"})
        await me.do("/users", "user:follow", {"user_id": followed.id})
        opened = await me.do("/chat", "conversation:open", {"user_id": other.id})
        # The first message of a conversation does more than the later ones, which are measured.
        first = {"conversation_id": opened["conversation"]["id"], "text": "Hello"}
        await me.do("/chat", "message:send", first)
        pulled = await me.do("/users", "sync:pull")
        while pulled["changes"]:  # transactions of others may be open still
            pulled = await me.do("/users", "sync:pull", {"cursor": pulled["cursor"]})
        caller = BenchCaller(int(me.id), me.access_token, int(opened["conversation"]["id"]), pulled["cursor"])
        world = World((caller,), (int(post["post"]["id"]),), (int(other.id),))
        yield Stage(server, trace, world, await me.main_device())


def peer_database(database_url: str) -> str:
    """The module's database, as peers connect to it."""
    return peer_url(database_url, urlsplit(database_url).path.removeprefix("/"))
