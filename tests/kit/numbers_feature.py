"""A feature whose consumer stores each number that it hears of, to show that effects are stored exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from handlers.context import Context, Reaction
from handlers.feature import Consumer, Feature, on
from realtime.contract.declarations import Fact
from realtime.contract.wire import Model
from server.composition.node import Node
from server.config import Settings
from sql.database import Database, UnitDatabase
from tests.kit.facts import count_unread

CONSUMER = "numbers"


class Number(Model):
    number: int


MADE = Fact(name="number.made", model=Number, key="number")


class Numbers:
    """`before` runs at the beginning of each reaction, with the numbers of its batch."""

    def __init__(self, before: Callable[[Sequence[int]], Awaitable[None]] | None = None) -> None:
        self.batches: list[list[int]] = []
        self._before = before

    def feature(self) -> Feature:
        return Feature(
            name="numbers", commands=(), facts=(MADE,), consumers=(Consumer(CONSUMER, (on(MADE, self._react),)),)
        )

    async def _react(self, ctx: Context, batch: Sequence[Number]) -> Reaction:
        numbers = [item.number for item in batch]
        self.batches.append(numbers)
        if self._before is not None:
            await self._before(numbers)

        async def store(db: Database) -> None:
            assert isinstance(db, UnitDatabase)
            await db.connection.execute("INSERT INTO numbers SELECT unnest($1::int[])", numbers)

        return Reaction(store=store)


class NumberTable:
    """What was made, and what was stored of it."""

    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self.connection = connection

    async def make(self, first: int, last: int) -> None:
        """A Fact for each of these numbers, all committed together."""
        await self.connection.execute(
            "INSERT INTO facts (lane, name, payload)"
            " SELECT fact_lane(n), 'number.made', jsonb_build_object('number', n)"
            " FROM generate_series($1::int, $2::int) AS n",
            first,
            last,
        )

    async def stored(self) -> list[int]:
        return [row[0] for row in await self.connection.fetch("SELECT number FROM numbers ORDER BY number")]

    async def until_read(self, within_s: float = 20.0) -> None:
        """Raises TimeoutError."""
        async with asyncio.timeout(within_s):
            while not await self._is_known() or await count_unread(self.connection, CONSUMER):
                await asyncio.sleep(0.01)

    async def _is_known(self) -> bool:
        return bool(await self.connection.fetchval("SELECT EXISTS (SELECT FROM fact_consumers)"))

    async def execute(self, sql: str) -> None:
        await self.connection.execute(sql)


@asynccontextmanager
async def number_table(database_url: str) -> AsyncIterator[NumberTable]:
    """An empty table, without any Fact or consumer in the database."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "TRUNCATE facts, fact_checkpoints, fact_leases, fact_workers, fact_consumers, parked_facts;"
            " DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (number int)"
        )
        yield NumberTable(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def number_worker(settings: Settings, numbers: Numbers) -> AsyncIterator[Node]:
    """A worker without server."""
    node = Node(settings, serve=False, work=True, features=[numbers.feature()])
    await node.start()
    try:
        yield node
    finally:
        await node.stop()
