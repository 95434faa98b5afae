"""One connection that subscribes channels: what it requests from the server, and which losses it reports."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from realtime.pubsub.subscriptions import CHANNELS_PER_COMMAND, MESSAGES_PER_TURN, Subscriptions
from realtime.redis.client import open_redis
from tests.kit.services import Valkey


class Receiving:
    """Subscriptions that record what they receive; None stands for a loss."""

    def __init__(self, subscriptions: Subscriptions) -> None:
        self.subscriptions = subscriptions
        self.received: list[tuple[str, bytes | None]] = []
        self._news = asyncio.Event()
        subscriptions.start(on_message=self._record, on_missed=lambda channel: self._record(channel, None))

    def _record(self, channel: str, body: bytes | None) -> None:
        self.received.append((channel, body))
        self._news.set()

    async def until_count(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.received) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def receiving(redis: Redis) -> AsyncIterator[Receiving]:
    subscriptions = Subscriptions(redis)
    yield Receiving(subscriptions)
    await subscriptions.stop()


async def subscribers(redis: Redis, channel: str) -> int:
    return int((await redis.pubsub_numsub(channel))[0][1])


async def kill_subscribers(redis: Redis) -> None:
    await redis.client_kill_filter(_type="pubsub")


async def test_only_channels_with_a_reference_are_subscribed(receiving: Receiving, redis: Redis) -> None:
    assert await receiving.subscriptions.subscribe("a")
    assert await receiving.subscriptions.subscribe("a")
    assert await subscribers(redis, "a") == 1
    receiving.subscriptions.unsubscribe("a")
    assert await receiving.subscriptions.subscribe("b")
    assert await subscribers(redis, "a") == 1
    receiving.subscriptions.unsubscribe("a")
    assert await receiving.subscriptions.subscribe("c")  # answered after the UNSUBSCRIBE of "a"
    assert await subscribers(redis, "a") == 0
    assert receiving.subscriptions.channels() == ["b", "c"]


async def test_more_channels_than_one_command_takes(receiving: Receiving, redis: Redis) -> None:
    names = [f"channel-{number}" for number in range(2 * CHANNELS_PER_COMMAND + 1)]
    assert all(await asyncio.gather(*(receiving.subscriptions.subscribe(name) for name in names)))
    for name in names:
        assert await redis.publish(name, b"1") == 1
    await receiving.until_count(len(names))


async def test_time_in_which_the_loop_was_blocked_is_not_counted(redis: Redis) -> None:
    subscriptions = Subscriptions(redis, confirm_within_s=0.4)
    Receiving(subscriptions)
    assert await subscriptions.subscribe("first")
    names = [f"channel-{number}" for number in range(2 * MESSAGES_PER_TURN)]
    subscribing = asyncio.create_task(subscriptions.subscribe(*names))
    for _ in range(2):  # the command is on its way
        await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(time.sleep, 0.5)
    assert await subscribing
    await subscriptions.stop()


async def test_a_killed_connection_is_a_loss_of_each_channel_before_its_later_messages(
    receiving: Receiving, redis: Redis
) -> None:
    await receiving.subscriptions.subscribe("a")
    await receiving.subscriptions.subscribe("b")
    await redis.publish("a", b"1")
    await receiving.until_count(1)
    await kill_subscribers(redis)
    async with asyncio.timeout(2):
        while not await redis.publish("a", b"2"):
            await asyncio.sleep(0)
    await receiving.until_count(4)
    of_a = [body for name, body in receiving.received if name == "a"]
    assert of_a == [b"1", None, b"2"]
    assert ("b", None) in receiving.received


async def test_a_channel_unsubscribed_during_an_outage_is_not_reported(receiving: Receiving, valkey: Valkey) -> None:
    await receiving.subscriptions.subscribe("a")
    await receiving.subscriptions.subscribe("b")
    await asyncio.to_thread(valkey.stop)
    receiving.subscriptions.unsubscribe("a")
    await asyncio.to_thread(valkey.start)
    await receiving.until_count(1)
    assert receiving.received == [("b", None)]


async def test_a_subscribe_during_an_outage_fails_soon_and_is_reported_as_a_loss_later(
    receiving: Receiving, redis: Redis, valkey: Valkey
) -> None:
    await receiving.subscriptions.subscribe("a")
    await asyncio.to_thread(valkey.stop)
    assert not await receiving.subscriptions.subscribe("late")
    # known by now: a hundred calls that each waited for a confirmation would not end in time
    async with asyncio.timeout(10):
        for _ in range(100):
            assert not await receiving.subscriptions.subscribe("later")
    await asyncio.to_thread(valkey.start)
    await receiving.until_count(3)
    assert sorted(name for name, body in receiving.received if body is None) == ["a", "late", "later"]
    assert await redis.publish("late", b"1") == 1
    await receiving.until_count(4)
    assert receiving.received[-1] == ("late", b"1")


async def test_a_subscribe_delayed_by_a_short_loss_is_confirmed_without_a_report(
    receiving: Receiving, redis: Redis
) -> None:
    await receiving.subscriptions.subscribe("a")
    await kill_subscribers(redis)
    assert await receiving.subscriptions.subscribe("new")
    assert await redis.publish("new", b"1") == 1
    await receiving.until_count(2)
    assert receiving.received == [("a", None), ("new", b"1")]


async def test_reconnect_replaces_the_connection(receiving: Receiving, redis: Redis) -> None:
    await receiving.subscriptions.subscribe("a")
    receiving.subscriptions.reconnect()
    await receiving.until_count(1)
    assert receiving.received == [("a", None)]
    assert await redis.publish("a", b"1") == 1
    await receiving.until_count(2)


async def test_alternating_calls_end_as_the_last_one(receiving: Receiving, redis: Redis) -> None:
    for _ in range(30):
        joining = asyncio.create_task(receiving.subscriptions.subscribe("a"))
        await asyncio.sleep(0)
        receiving.subscriptions.unsubscribe("a")
        await asyncio.sleep(0)
        again = asyncio.create_task(receiving.subscriptions.subscribe("a"))
        await asyncio.sleep(0)
        await asyncio.gather(joining, again)
        receiving.subscriptions.unsubscribe("a")
    assert await receiving.subscriptions.subscribe("end")
    assert await subscribers(redis, "a") == 0
    assert await receiving.subscriptions.subscribe("a")
    assert await subscribers(redis, "a") == 1
    assert await redis.publish("a", b"1") == 1
    await receiving.until_count(1)
    assert receiving.received == [("a", b"1")]


async def test_a_cancelled_subscribe_keeps_its_reference_until_unsubscribe(receiving: Receiving, redis: Redis) -> None:
    joining = asyncio.create_task(receiving.subscriptions.subscribe("a"))
    await asyncio.sleep(0)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert await receiving.subscriptions.subscribe("b")
    assert receiving.subscriptions.channels() == ["a", "b"]
    assert await subscribers(redis, "a") == 1
    receiving.subscriptions.unsubscribe("a")
    assert await receiving.subscriptions.subscribe("c")
    assert await subscribers(redis, "a") == 0


async def test_a_flood_lets_other_tasks_have_their_turn(redis: Redis, redis_url: str) -> None:
    subscriptions = Subscriptions(redis)
    messages = 20 * MESSAGES_PER_TURN
    turns: list[int] = []
    done = asyncio.Event()
    count = 0

    def on_message(channel: str, body: bytes) -> None:
        nonlocal count
        count += 1
        if count == messages:
            done.set()

    async def take_turns() -> None:
        while not done.is_set():
            turns.append(count)
            await asyncio.sleep(0)

    subscriptions.start(on_message=on_message, on_missed=lambda channel: None)
    await subscriptions.subscribe("a")
    others = asyncio.create_task(take_turns())
    with BlockingRedis.from_url(redis_url) as publisher:  # it blocks the loop, so that all messages are there at once
        pipeline = publisher.pipeline(transaction=False)
        for _ in range(messages):
            pipeline.publish("a", b"")
        pipeline.execute()
    await others
    turns.append(count)
    longest = max(later - earlier for earlier, later in pairwise(turns))
    assert longest <= MESSAGES_PER_TURN
    await subscriptions.stop()


async def test_stopping_ends_the_wait_of_callers(redis_url: str) -> None:
    redis = open_redis(redis_url, client_name="test")
    subscriptions = Subscriptions(redis, confirm_within_s=60)
    waiting = asyncio.create_task(subscriptions.subscribe("a"))
    await asyncio.sleep(0)
    await subscriptions.stop()
    assert not await waiting
    await redis.aclose()
