"""The statements of a command on a pool, without sockets: `python -m loadtest.peers.bare_asyncpg`.

It is ordered what to do as the load clients of the servers are, with tasks in the place of their sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg
import uvloop

from loadtest.bench.calls import Call, World
from loadtest.bench.commands.plans import FEED_LIST_MAX, PLANS, Given, Plan, Source, Step, feed_list
from loadtest.bench.commands.statements import Statement, read_statements, statement
from loadtest.bench.orders import Order, percentiles_ms, serve_orders

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

Values = dict[str, Any]
Runner = Callable[["Connection", Values], Awaitable[None]]

_HOME_IDS: Final = Step("feed.home_ids", {"viewer_id": Given("me"), "id_limit": FEED_LIST_MAX})


class BareCallers:
    """Callers that execute the statements of their commands themselves, on the connections of one pool."""

    def __init__(self, pool: Pool, world: World, statements: Mapping[str, Statement]) -> None:
        self._pool = pool
        self._world = world
        self._plans = {name: _runner(plan, statements) for name, plan in PLANS.items()}
        self._home_ids = statement(statements, _HOME_IDS.statement, list(_HOME_IDS.arguments)).text
        self._feeds: dict[int, Values] = {}
        self._next: dict[tuple[str, int], int] = {}

    async def connect(self, *, count: int) -> dict[str, Any]:
        return {"connected": count}

    async def run(self, *, command: str, sockets: int, for_s: float) -> dict[str, Any]:
        """As many tasks as sockets call as fast as they can, until the time is over."""
        durations_s: list[float] = []
        began_s = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for place in range(sockets):
                tasks.create_task(self._call(command, place, began_s + for_s, durations_s))
        elapsed_s = time.perf_counter() - began_s
        return {"commands": len(durations_s), "elapsed_s": elapsed_s, **percentiles_ms(durations_s)}

    async def execute(self, name: str, values: Values) -> None:
        """One command."""
        if name == "feed:page":
            values = values | await self._feed(values["me"])
        async with self._pool.acquire() as connection:
            await self._plans[name](connection, values)

    async def _call(self, command: str, place: int, until_s: float, durations_s: list[float]) -> None:
        calls = [
            (call.name, values_of(call, self._world.callers[place].user_id))
            for call in self._world.calls(command, place)
        ]
        number = self._next.get((command, place), 0)
        now_s = time.perf_counter()
        while True:
            name, values = calls[number % len(calls)]
            await self.execute(name, values)
            number += 1
            before_s, now_s = now_s, time.perf_counter()
            durations_s.append(now_s - before_s)
            if now_s >= until_s:
                break
        self._next[command, place] = number

    async def _feed(self, me: int) -> Values:
        """The list that the product keeps in Redis; here it is read once and kept in memory."""
        if me not in self._feeds:
            ids = [row[0] for row in await self._pool.fetch(self._home_ids, me, FEED_LIST_MAX)]
            self._feeds[me] = feed_list(ids)
        return self._feeds[me]


def values_of(call: Call, me: int) -> Values:
    """The values of a call's payload, as PostgreSQL takes them."""
    return {
        "me": me,
        **{name: int(value) if name.endswith("_id") else value for name, value in call.payload.items()},
    }


def _runner(plan: Plan, statements: Mapping[str, Statement]) -> Runner:
    steps = [_step(step, statements) for step in plan.steps]

    async def run(connection: Connection, values: Values) -> None:
        for step in steps:
            await step(connection, values)

    return run


def _step(step: Step, statements: Mapping[str, Statement]) -> Runner:
    found = statement(statements, step.statement, list(step.arguments))
    sources = [step.arguments[parameter] for parameter in found.parameters]
    text = found.text

    async def run(connection: Connection, values: Values) -> None:
        await connection.fetch(text, *[_value(source, values) for source in sources])

    return run


def _value(source: Source, values: Values) -> Any:
    return values[source.name] if isinstance(source, Given) else source


async def serve(database: str, pool_size: int, world: Path) -> None:
    async with asyncpg.create_pool(
        database,
        min_size=pool_size,
        max_size=pool_size,
        statement_cache_size=512,
        max_cached_statement_lifetime=0,
        reset=_keep_session,
    ) as pool:
        callers = BareCallers(pool, World.read(world), read_statements())
        orders: Mapping[str, Order] = {"connect": callers.connect, "run": callers.run}
        await serve_orders(orders)


async def _keep_session(_connection: Any) -> None:
    # No statement changes session state, and asyncpg's own reset would cost every command one more round trip.
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", required=True, help="URL of the database")
    parser.add_argument("--pool", type=int, required=True, help="how many connections")
    parser.add_argument("--world", type=Path, required=True, help="the file of World.write")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.database, options.pool, options.world))


if __name__ == "__main__":
    main()
