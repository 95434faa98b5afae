"""What every backplane promises, over Redis or within this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from realtime.pubsub.backplane import MAX_BODY_BYTES, Backplane, BodyTooLarge
from realtime.pubsub.memory_backplane import MemoryBackplane, MemoryBroker
from realtime.pubsub.redis_backplane import RedisBackplane
from realtime.redis.client import open_redis
from tests.conformance.receiving_node import receiving_nodes

Make = Callable[[str], Backplane]


@pytest.fixture(params=["memory", "redis"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    """Makes nodes that reach each other."""
    if request.param == "memory":
        broker = MemoryBroker()
        yield lambda node_id: MemoryBackplane(node_id, broker)
    else:
        redis = open_redis(request.getfixturevalue("redis_url"), client_name="test")
        yield lambda node_id: RedisBackplane(redis, node_id)
        await redis.aclose()


async def test_a_subscriber_receives_what_is_published_after_subscribe_returned(make: Make) -> None:
    async with receiving_nodes(make("a"), make("b")) as (a, b):
        assert await b.backplane.subscribe("room:1")
        assert await a.backplane.publish([("room:1", b"hello")])
        await b.until(lambda: b.received == [("room:1", b"hello")])
        assert a.received == []


async def test_behind_a_barrier_everything_published_before_is_known(make: Make) -> None:
    async with receiving_nodes(make("a"), make("b")) as (a, b):
        assert await b.backplane.subscribe("room:1")
        for number in range(50):
            assert await a.backplane.publish([("room:1", b"%d" % number)])
            assert await b.backplane.barrier()
            assert b.received[-1] == ("room:1", b"%d" % number)


async def test_several_channels_are_subscribed_together(make: Make) -> None:
    channels = [f"room:{number}" for number in range(1_200)]
    async with receiving_nodes(make("a")) as (a,):
        assert await a.backplane.subscribe(*channels, channels[0])
        assert await a.backplane.subscribe()
        await a.backplane.unsubscribe(channels[0])
        assert await a.backplane.publish([(channel, b"1") for channel in channels])
        await a.until(lambda: len(a.received) == len(channels))


async def test_a_cancelled_subscribe_keeps_its_reference(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        asking = asyncio.create_task(a.backplane.subscribe("room:1"))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        await a.backplane.subscribe("room:1")
        await a.backplane.unsubscribe("room:1")
        assert await a.backplane.publish([("room:1", b"heard")])
        await a.until(lambda: a.received == [("room:1", b"heard")])


async def test_the_publisher_receives_its_own_message_if_subscribed(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        await a.backplane.subscribe("room:1")
        assert await a.backplane.publish([("room:1", b"mine")])
        await a.until(lambda: a.received == [("room:1", b"mine")])


async def test_a_node_receives_its_own_channel_and_the_one_of_all_nodes(make: Make) -> None:
    async with receiving_nodes(make("a"), make("b")) as (a, b):
        assert await a.backplane.publish([("node:b", b"1"), ("all", b"2"), ("node:a", b"3")])
        await b.until(lambda: sorted(b.received) == [("all", b"2"), ("node:b", b"1")])
        await a.until(lambda: sorted(a.received) == [("all", b"2"), ("node:a", b"3")])


async def test_a_node_is_healthy_once_started_and_not_before(make: Make) -> None:
    backplane = make("a")
    problems = [backplane.problem]
    async with receiving_nodes(backplane):
        problems.append(backplane.problem)
    problems.append(backplane.problem)
    assert [problem is None for problem in problems] == [False, True, False]
    assert backplane.node_id == "a"


async def test_all_subscribers_receive_a_channel_in_one_order(make: Make) -> None:
    async with receiving_nodes(make("a"), make("b"), make("c")) as nodes:
        for node in nodes:
            assert await node.backplane.subscribe("room:1")

        async def publish(node_index: int) -> None:
            for number in range(100):
                assert await nodes[node_index].backplane.publish([("room:1", b"%d-%d" % (node_index, number))])

        await asyncio.gather(publish(0), publish(1), publish(2))
        await asyncio.gather(*(node.until_count(300) for node in nodes))
        assert nodes[0].received == nodes[1].received == nodes[2].received
        for node_index in range(3):
            own = [body for body in nodes[0].bodies("room:1") if body.startswith(b"%d-" % node_index)]
            assert own == [b"%d-%d" % (node_index, number) for number in range(100)]


async def test_calls_made_without_waiting_keep_their_order(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        await a.backplane.subscribe("room:1")
        assert all(await asyncio.gather(*(a.backplane.publish([("room:1", b"%d" % number)]) for number in range(500))))
        await a.until(lambda: len(a.received) == 500)
        assert a.bodies("room:1") == [b"%d" % number for number in range(500)]


async def test_the_last_reference_ends_a_subscription_and_no_other(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        await a.backplane.subscribe("room:1")
        await a.backplane.subscribe("room:1")
        await a.backplane.unsubscribe("room:1")
        await a.backplane.publish([("room:1", b"still")])
        await a.until(lambda: a.received == [("room:1", b"still")])
        await a.backplane.unsubscribe("room:1")
        await a.backplane.publish([("room:1", b"unheard"), ("node:a", b"end")])
        await a.until(lambda: ("node:a", b"end") in a.received)
        assert a.bodies("room:1") == [b"still"]


async def test_unsubscribing_more_often_than_subscribing_does_no_harm(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        await a.backplane.unsubscribe("room:1")
        await a.backplane.subscribe("room:1")
        await a.backplane.publish([("room:1", b"heard")])
        await a.until(lambda: a.received == [("room:1", b"heard")])


async def test_overlapping_subscribes_and_unsubscribes_end_as_the_last_call(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        for _ in range(20):
            joins = [asyncio.create_task(a.backplane.subscribe("room:1")) for _ in range(3)]
            await asyncio.sleep(0)
            await a.backplane.unsubscribe("room:1")
            assert all(await asyncio.gather(*joins))
            await a.backplane.unsubscribe("room:1")
            await a.backplane.unsubscribe("room:1")
        assert await a.backplane.subscribe("room:1")
        await a.backplane.publish([("room:1", b"last")])
        await a.until(lambda: a.received == [("room:1", b"last")])


async def test_a_callback_that_raises_does_not_stop_later_messages(make: Make) -> None:
    backplane = make("a")
    heard: list[bytes] = []
    done = asyncio.Event()

    def on_message(channel: str, body: bytes) -> None:
        heard.append(body)
        if body == b"bad":
            raise ValueError("cannot read this")
        done.set()

    await backplane.start(on_message=on_message, on_missed=lambda channel: None)
    try:
        assert await backplane.publish([("node:a", b"bad"), ("node:a", b"good")])
        async with asyncio.timeout(10):
            await done.wait()
        assert heard == [b"bad", b"good"]
    finally:
        await backplane.stop()


async def test_a_body_of_the_full_size_passes_and_one_byte_more_sends_nothing(make: Make) -> None:
    async with receiving_nodes(make("a")) as (a,):
        full = bytes([0x92]) * MAX_BODY_BYTES
        with pytest.raises(BodyTooLarge):
            await a.backplane.publish([("node:a", b"first"), ("node:a", full + b"1")])
        assert await a.backplane.publish([("node:a", full)])
        await a.until(lambda: len(a.received) > 0)
        assert a.received == [("node:a", full)]


async def test_nothing_is_lost_where_nothing_failed(make: Make) -> None:
    async with receiving_nodes(make("a"), make("b")) as (a, b):
        await b.backplane.subscribe("room:1")
        for start in range(0, 5_000, 500):
            assert await a.backplane.publish([("room:1", b"%d" % number) for number in range(start, start + 500)])
        await b.until(lambda: len(b.received) == 5_000)
        assert b.missed() == []
