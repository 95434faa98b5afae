"""What only the Redis backplane has: outages, lost messages, probes. The rest is tested in tests/conformance."""

from __future__ import annotations

import asyncio
from pathlib import Path

from redis.asyncio import Redis

from realtime.pubsub.redis_backplane import RedisBackplane
from realtime.redis.client import open_redis
from tests.conformance.receiving_node import ReceivingNode, receiving_nodes
from tests.kit.services import Valkey
from tests.realtime.silent_line import silent_line


async def heals(node: ReceivingNode, channel: str) -> None:
    """Publishes until it works again; at most three seconds."""
    async with asyncio.timeout(3):
        while not await node.backplane.publish([(channel, b"healed")]):
            await asyncio.sleep(0.01)


async def until_health_is(node: ReceivingNode, is_healthy: bool) -> None:
    async with asyncio.timeout(3):
        while (node.backplane.problem is None) != is_healthy:
            await asyncio.sleep(0.01)


async def test_a_publish_fails_at_once_in_an_outage_and_is_reported_before_later_messages(
    redis: Redis, valkey: Valkey
) -> None:
    async with receiving_nodes(RedisBackplane(redis, "a"), RedisBackplane(redis, "b")) as (a, b):
        for node in (a, b):
            assert await node.backplane.subscribe("room:1")
        assert await a.backplane.publish([("room:1", b"before")])
        await b.until_count(1)
        await asyncio.to_thread(valkey.stop)
        assert not await a.backplane.publish([("room:1", b"lost")])
        async with asyncio.timeout(1):  # known to be away: a thousand attempts to connect would take longer
            for _ in range(1_000):
                assert not await a.backplane.publish([("room:1", b"lost")])
        assert not await a.backplane.subscribe("room:2")
        await asyncio.to_thread(valkey.start)
        async with asyncio.timeout(2):
            for node in (a, b):
                await node.until_missed("room:1")
        await heals(a, "room:1")
        for node in (a, b):
            await node.until_last_of("room:1", b"healed")
            of_room = [body for channel, body in node.received if channel == "room:1"]
            assert (of_room[0], set(of_room[1:-1]), of_room[-1]) == (b"before", {None}, b"healed")
        await a.until(lambda: "room:2" in a.missed() and "node:a" in a.missed() and "all" in a.missed())
        assert await a.backplane.publish([("room:2", b"later")])
        await a.until(lambda: a.received[-1] == ("room:2", b"later"))


async def test_killed_subscribers_reconnect_and_report_the_loss(redis: Redis) -> None:
    async with receiving_nodes(RedisBackplane(redis, "a")) as (a,):
        await a.backplane.subscribe("room:1")
        await redis.client_kill_filter(_type="pubsub")
        async with asyncio.timeout(2):
            await a.until(lambda: set(a.missed()) == {"room:1", "node:a", "all"})
        assert await a.backplane.publish([("room:1", b"1")])
        await a.until(lambda: a.received[-1] == ("room:1", b"1"))


async def test_a_lost_publish_is_reported_to_subscribers_whose_connection_never_broke(redis: Redis) -> None:
    """The server is silent for longer than a publisher waits, but closes no connection."""
    async with receiving_nodes(RedisBackplane(redis, "a"), RedisBackplane(redis, "b")) as (a, b):
        await b.backplane.subscribe("room:1")
        await redis.client_pause(900)
        assert not await a.backplane.publish([("room:1", b"unsure")])
        await heals(a, "room:1")
        await b.until_last_of("room:1", b"healed")
        assert [body for channel, body in b.received if channel == "room:1"][-2:] == [None, b"healed"]
        assert "node:b" not in b.missed()


async def test_a_lost_publish_is_reported_though_nothing_is_published_afterwards(redis: Redis) -> None:
    publisher = RedisBackplane(redis, "a", probe_every_s=0.05)
    async with receiving_nodes(publisher, RedisBackplane(redis, "b")) as (a, b):
        await b.backplane.subscribe("room:1")
        await redis.client_pause(900)
        assert not await a.backplane.publish([("room:1", b"unsure")])
        await b.until_missed("room:1")


async def test_too_many_lost_publishes_are_reported_for_every_channel(redis: Redis) -> None:
    publisher = RedisBackplane(redis, "a", probe_every_s=0.05)
    async with receiving_nodes(publisher, RedisBackplane(redis, "b")) as (a, b):
        for room in ("room:1", "room:unrelated"):
            await b.backplane.subscribe(room)
        await redis.client_pause(900)
        assert not await a.backplane.publish([(f"room:{number}", b"unsure") for number in range(10_001)])
        await b.until(lambda: {"room:1", "room:unrelated"} <= set(b.missed()))


async def test_a_node_that_starts_without_redis_is_unhealthy_until_it_comes(redis: Redis, valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.stop)
    async with receiving_nodes(RedisBackplane(redis, "a", probe_every_s=0.05)) as (a,):
        assert a.backplane.problem is not None
        await asyncio.to_thread(valkey.start)
        await a.until(lambda: set(a.missed()) == {"node:a", "all"})
        await until_health_is(a, True)


async def test_a_probe_is_not_passed_on(redis: Redis) -> None:
    async with receiving_nodes(RedisBackplane(redis, "a", probe_every_s=0.01)) as (a,):
        await asyncio.sleep(0.1)
        assert await a.backplane.publish([("node:a", b"1")])
        await a.until_count(1)
        assert a.received == [("node:a", b"1")]


async def test_a_node_that_receives_nothing_is_unhealthy(redis: Redis) -> None:
    async with receiving_nodes(RedisBackplane(redis, "a", probe_every_s=0.05)) as (a,):
        await until_health_is(a, True)
        await redis.client_pause(1_000)
        await until_health_is(a, False)
        await until_health_is(a, True)


async def test_a_connection_that_died_in_silence_is_replaced_and_the_loss_reported(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with silent_line(valkey.url, tmp_path / "line.sock") as line:
        redis = open_redis(line.url, client_name="test")
        async with receiving_nodes(RedisBackplane(redis, "a", probe_every_s=0.05)) as (a,):
            await a.backplane.subscribe("room:1")
            line.fall_silent()
            await a.until(lambda: "room:1" in a.missed())
            await heals(a, "room:1")
            await a.until_last_of("room:1", b"healed")
        await redis.aclose()


async def test_a_new_connection_is_given_time_to_receive_a_probe(redis_url: str, tmp_path: Path) -> None:
    """Where each probe that is not there yet gave up the newest connection too, a line that is back was of no use."""
    async with silent_line(redis_url, tmp_path / "line.sock") as line:
        redis = open_redis(line.url, client_name="silent")
        async with receiving_nodes(RedisBackplane(redis, "a", probe_every_s=0.1)) as (a,):
            for _ in range(5):
                line.fall_silent(for_good=True)
                await until_health_is(a, False)
                line.speak()
                before = line.accepted
                await until_health_is(a, True)
                # One for the publisher and one for the subscriptions, and one that was begun in the silence.
                assert line.accepted - before <= 3
        await redis.aclose()
