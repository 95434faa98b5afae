"""The outbox is the truth: what the stream loses is sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from redis.asyncio import Redis

from realtime.redis.client import open_redis
from realtime.redis.fact_streams import FactStreams
from server.worker.relay import Relay
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.kit.services import execute


class _Relays:
    """Relays on one database and one Redis, and a reader of what they send."""

    def __init__(self, units: Units, redis: Redis) -> None:
        self.units = units
        self.redis = redis
        self.streams = FactStreams(redis)
        self._relays: list[Relay] = []

    def relay(self, *, resend_after_s: float = 30.0) -> Relay:
        relay = Relay(self.units, self.streams, resend_after_s=resend_after_s)
        relay.start()
        self._relays.append(relay)
        return relay

    async def commit(self, count: int) -> None:
        async with self.units.write() as db:
            await db.facts.insert_facts(
                facts=["test.fact"] * count, payloads=[f'{{"n": {number}}}' for number in range(count)]
            )

    async def read(self, count: int) -> list[int]:
        """The ids of at least so many entries, in the order of the stream."""
        found: list[int] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                entries = await self.streams.read("reader", "one", ["test.fact"], count=500, block_ms=200)
                found += [entry.fact_id for entry in entries]
        return found

    async def stop(self) -> None:
        for relay in self._relays:
            await relay.stop()
        await self.streams.stop()


@pytest_asyncio.fixture
async def relays(database_url: str, redis_url: str) -> AsyncIterator[_Relays]:
    await execute(database_url, "DELETE FROM outbox")
    pool = await opened_pool(database_url, max_size=4)
    redis = open_redis(redis_url, client_name="test-relay")
    made = _Relays(Units(pool, load_queries(), acquire_timeout_s=5), redis)
    yield made
    await made.stop()
    await redis.aclose()
    await close_pool(pool, timeout_s=5)


async def test_two_relays_send_each_fact_once(relays: _Relays) -> None:
    first, second = relays.relay(), relays.relay()
    await relays.commit(1_200)
    first.wake()
    second.wake()
    ids = await relays.read(1_200)
    assert len(ids) == len(set(ids)) == 1_200
    assert await relays.streams.read("reader", "one", ["test.fact"], count=10, block_ms=300) == []


async def test_an_unconfirmed_fact_is_sent_again(relays: _Relays) -> None:
    relay = relays.relay(resend_after_s=0.5)
    await relays.commit(1)
    relay.wake()
    first = await relays.read(1)
    await relays.redis.flushall()
    assert await relays.read(1) == first
