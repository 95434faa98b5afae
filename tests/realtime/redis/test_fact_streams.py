from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from realtime.redis.client import StoreUnavailable
from realtime.redis.fact_streams import Entry, FactStreams
from tests.kit.services import Valkey


@pytest.fixture
async def streams(redis: Redis) -> AsyncIterator[FactStreams]:
    streams = FactStreams(redis)
    yield streams
    await streams.stop()


async def read(streams: FactStreams, group: str = "feed", names: tuple[str, ...] = ("made",)) -> list[Entry]:
    return await streams.read(group, "one", names, count=10, block_ms=1)


def facts(entries: list[Entry]) -> list[int]:
    return [entry.fact_id for entry in entries]


async def test_a_group_reads_each_fact_once_in_the_order_of_publishing(streams: FactStreams) -> None:
    await streams.publish([("made", 2**62 + 1, b'{"a": 1}'), ("made", 5, b"\x00\xff")])
    entries = await read(streams)
    assert [(entry.stream, entry.fact_id, entry.body, entry.deliveries) for entry in entries] == [
        ("made", 2**62 + 1, b'{"a": 1}', 1),
        ("made", 5, b"\x00\xff", 1),
    ]
    assert await read(streams) == []


async def test_every_group_reads_every_fact(streams: FactStreams) -> None:
    await streams.publish([("made", 1, b"")])
    assert facts(await read(streams, "feed")) == [1]
    assert facts(await read(streams, "notifications")) == [1]


async def test_consumers_of_a_group_share_the_facts(streams: FactStreams) -> None:
    await streams.publish([("made", number, b"") for number in range(20)])
    one = await streams.read("feed", "one", ["made"], count=12, block_ms=1)
    other = await streams.read("feed", "other", ["made"], count=12, block_ms=1)
    assert facts(one) == list(range(12))
    assert facts(other) == list(range(12, 20))


async def test_one_read_covers_several_streams(streams: FactStreams) -> None:
    await streams.publish([("made", 1, b""), ("liked", 2, b""), ("other", 3, b"")])
    entries = await read(streams, names=("made", "liked"))
    assert sorted((entry.stream, entry.fact_id) for entry in entries) == [("liked", 2), ("made", 1)]


async def test_a_read_waits_for_the_first_fact_longer_than_other_commands_may(
    streams: FactStreams, redis_url: str
) -> None:
    waiting = asyncio.create_task(streams.read("feed", "one", ["made"], count=10, block_ms=10_000))
    await asyncio.sleep(1.2)  # longer than the timeout of the client that the streams were made with
    assert not waiting.done()
    await streams.publish([("made", 1, b"")])
    assert facts(await waiting) == [1]


async def test_a_cancelled_read_leaves_the_fact_to_others(streams: FactStreams) -> None:
    waiting = asyncio.create_task(streams.read("feed", "one", ["made"], count=10, block_ms=10_000))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.05)
    await streams.publish([("made", 1, b"")])
    assert facts(await read(streams)) == [1]


async def test_what_is_not_acked_can_be_reclaimed_by_another_and_says_how_often(streams: FactStreams) -> None:
    await streams.publish([("made", 1, b"body"), ("made", 2, b"")])
    first, second = await read(streams)
    await streams.ack("feed", [second])
    assert await streams.reclaim("feed", "other", ["made"], min_idle_ms=60_000, count=10) == []
    assert await streams.reclaim("feed", "other", ["made"], min_idle_ms=0, count=10) == [
        Entry("made", first.entry_id, 1, b"body", deliveries=2)
    ]
    (again,) = await streams.reclaim("feed", "third", ["made"], min_idle_ms=0, count=10)
    assert again.deliveries == 3
    await streams.ack("feed", [again])
    assert await streams.reclaim("feed", "third", ["made"], min_idle_ms=0, count=10) == []


async def test_reclaim_takes_the_oldest_first_and_no_more_than_asked(streams: FactStreams) -> None:
    await streams.publish([("made", number, b"") for number in range(5)])
    await read(streams)
    assert facts(await streams.reclaim("feed", "other", ["made"], min_idle_ms=0, count=3)) == [0, 1, 2]


async def test_lag_counts_what_is_unread_and_what_is_under_way(streams: FactStreams) -> None:
    assert await streams.lag("feed", ["made", "liked"]) == 0
    await streams.publish([("made", number, b"") for number in range(15)])
    assert await streams.lag("feed", ["made", "liked"]) == 15
    entries = await read(streams)
    assert await streams.lag("feed", ["made", "liked"]) == 15
    await streams.ack("feed", entries)
    assert await streams.lag("feed", ["made", "liked"]) == 5


async def test_groups_may_be_made_any_number_of_times(streams: FactStreams) -> None:
    await streams.ensure_groups("feed", ["made", "liked"])
    await streams.publish([("made", 1, b"")])
    await streams.ensure_groups("feed", ["made", "liked"])
    assert facts(await read(streams)) == [1]


async def test_everything_works_on_after_all_was_flushed(streams: FactStreams, redis: Redis) -> None:
    await streams.publish([("made", 1, b"")])
    entries = await read(streams)
    await redis.flushall()
    await streams.ack("feed", entries)
    assert await streams.reclaim("feed", "one", ["made"], min_idle_ms=0, count=10) == []
    await redis.flushall()
    await streams.publish([("made", 2, b"")])
    assert await streams.lag("feed", ["made"]) == 1
    assert facts(await read(streams)) == [2]


async def test_a_waiting_read_survives_a_flush(streams: FactStreams, redis: Redis) -> None:
    waiting = asyncio.create_task(streams.read("feed", "one", ["made"], count=10, block_ms=10_000))
    await asyncio.sleep(0.05)
    await redis.flushall()
    await streams.publish([("made", 1, b"")])
    assert facts(await waiting) == [1]


async def test_an_outage_raises_until_it_is_over(streams: FactStreams, valkey: Valkey) -> None:
    await streams.publish([("made", 1, b"")])
    waiting = asyncio.create_task(streams.read("feed", "one", ["other"], count=10, block_ms=10_000))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(valkey.stop)
    with pytest.raises(StoreUnavailable):
        await waiting
    with pytest.raises(StoreUnavailable):
        await streams.publish([("made", 2, b"")])
    with pytest.raises(StoreUnavailable):
        await read(streams)
    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(10):
        while True:
            try:
                await streams.publish([("made", 3, b"")])
                break
            except StoreUnavailable:
                await asyncio.sleep(0.01)
    assert facts(await read(streams)) == [3]


async def consumers_of(redis: Redis, group: str) -> set[str]:
    return {consumer["name"].decode() for consumer in await redis.xinfo_consumers("{facts}:made", group)}


async def test_consumers_that_are_gone_are_forgotten_unless_they_hold_something(
    streams: FactStreams, redis: Redis
) -> None:
    await streams.publish([("made", 1, b""), ("made", 2, b"")])
    (held,) = await streams.read("feed", "holding", ["made"], count=1, block_ms=1)
    (done,) = await streams.read("feed", "idle", ["made"], count=1, block_ms=1)
    await streams.ack("feed", [done])
    assert await streams.retire("feed", ["made", "nothing"], min_idle_ms=60_000) == 0
    assert await streams.retire("feed", ["made", "nothing"], min_idle_ms=0) == 1
    assert await consumers_of(redis, "feed") == {"holding"}
    (claimed,) = await streams.reclaim("feed", "other", ["made"], min_idle_ms=0, count=10)
    assert claimed.entry_id == held.entry_id
    assert await streams.retire("feed", ["made"], min_idle_ms=0) == 1
    assert await consumers_of(redis, "feed") == {"other"}
    await streams.publish([("made", 3, b"")])
    assert facts(await streams.read("feed", "idle", ["made"], count=1, block_ms=1)) == [3]
