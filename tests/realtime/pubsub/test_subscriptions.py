"""One connection that hears channels: what its server is told, and what it says when it may have missed something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from realtime.pubsub.subscriptions import CHANNELS_PER_COMMAND, MESSAGES_PER_TURN, Subscriptions
from realtime.redis.client import open_redis
from tests.kit.services import Valkey


class Hearing:
    """Subscriptions that write down what they hear; None stands for a gap."""

    def __init__(self, subscriptions: Subscriptions) -> None:
        self.subscriptions = subscriptions
        self.heard: list[tuple[str, bytes | None]] = []
        self._news = asyncio.Event()
        subscriptions.start(on_message=self._write_down, on_missed=lambda channel: self._write_down(channel, None))

    def _write_down(self, channel: str, body: bytes | None) -> None:
        self.heard.append((channel, body))
        self._news.set()

    async def until_count(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def hearing(redis: Redis) -> AsyncIterator[Hearing]:
    subscriptions = Subscriptions(redis)
    yield Hearing(subscriptions)
    await subscriptions.stop()


async def subscribers(redis: Redis, channel: str) -> int:
    return int((await redis.pubsub_numsub(channel))[0][1])


async def kill_subscribers(redis: Redis) -> None:
    await redis.client_kill_filter(_type="pubsub")


async def test_the_server_knows_only_channels_that_somebody_wants(hearing: Hearing, redis: Redis) -> None:
    assert await hearing.subscriptions.subscribe("a")
    assert await hearing.subscriptions.subscribe("a")
    assert await subscribers(redis, "a") == 1
    hearing.subscriptions.unsubscribe("a")
    assert await hearing.subscriptions.subscribe("b")
    assert await subscribers(redis, "a") == 1
    hearing.subscriptions.unsubscribe("a")
    assert await hearing.subscriptions.subscribe("c")  # answered after the server was told of "a"
    assert await subscribers(redis, "a") == 0
    assert hearing.subscriptions.channels() == ["b", "c"]


async def test_more_channels_than_one_command_takes(hearing: Hearing, redis: Redis) -> None:
    names = [f"channel-{number}" for number in range(2 * CHANNELS_PER_COMMAND + 1)]
    assert all(await asyncio.gather(*(hearing.subscriptions.subscribe(name) for name in names)))
    for name in names:
        assert await redis.publish(name, b"1") == 1
    await hearing.until_count(len(names))


async def test_a_killed_connection_is_told_as_a_gap_of_each_channel_before_its_later_messages(
    hearing: Hearing, redis: Redis
) -> None:
    await hearing.subscriptions.subscribe("a")
    await hearing.subscriptions.subscribe("b")
    await redis.publish("a", b"1")
    await hearing.until_count(1)
    await kill_subscribers(redis)
    async with asyncio.timeout(2):
        while not await redis.publish("a", b"2"):
            await asyncio.sleep(0)
    await hearing.until_count(4)
    of_a = [body for name, body in hearing.heard if name == "a"]
    assert of_a == [b"1", None, b"2"]
    assert ("b", None) in hearing.heard


async def test_a_channel_let_go_during_an_outage_is_neither_heard_nor_told(hearing: Hearing, valkey: Valkey) -> None:
    await hearing.subscriptions.subscribe("a")
    await hearing.subscriptions.subscribe("b")
    await asyncio.to_thread(valkey.stop)
    hearing.subscriptions.unsubscribe("a")
    await asyncio.to_thread(valkey.start)
    await hearing.until_count(1)
    assert hearing.heard == [("b", None)]


async def test_a_wish_made_during_an_outage_is_refused_soon_and_told_as_a_gap_later(
    hearing: Hearing, redis: Redis, valkey: Valkey
) -> None:
    await hearing.subscriptions.subscribe("a")
    await asyncio.to_thread(valkey.stop)
    assert not await hearing.subscriptions.subscribe("late")
    # known by now: a hundred wishes that each waited for a confirmation would not end in time
    async with asyncio.timeout(10):
        for _ in range(100):
            assert not await hearing.subscriptions.subscribe("later")
    await asyncio.to_thread(valkey.start)
    await hearing.until_count(3)
    assert sorted(name for name, body in hearing.heard if body is None) == ["a", "late", "later"]
    assert await redis.publish("late", b"1") == 1
    await hearing.until_count(4)
    assert hearing.heard[-1] == ("late", b"1")


async def test_a_wish_that_a_short_loss_delays_is_confirmed_without_a_gap(hearing: Hearing, redis: Redis) -> None:
    await hearing.subscriptions.subscribe("a")
    await kill_subscribers(redis)
    assert await hearing.subscriptions.subscribe("new")
    assert await redis.publish("new", b"1") == 1
    await hearing.until_count(2)
    assert hearing.heard == [("a", None), ("new", b"1")]


async def test_a_connection_given_up_is_made_anew(hearing: Hearing, redis: Redis) -> None:
    await hearing.subscriptions.subscribe("a")
    hearing.subscriptions.reconnect()
    await hearing.until_count(1)
    assert hearing.heard == [("a", None)]
    assert await redis.publish("a", b"1") == 1
    await hearing.until_count(2)


async def test_flapping_wishes_end_as_the_last_one(hearing: Hearing, redis: Redis) -> None:
    for _ in range(30):
        joining = asyncio.create_task(hearing.subscriptions.subscribe("a"))
        await asyncio.sleep(0)
        hearing.subscriptions.unsubscribe("a")
        await asyncio.sleep(0)
        again = asyncio.create_task(hearing.subscriptions.subscribe("a"))
        await asyncio.sleep(0)
        await asyncio.gather(joining, again)
        hearing.subscriptions.unsubscribe("a")
    assert await hearing.subscriptions.subscribe("end")
    assert await subscribers(redis, "a") == 0
    assert await hearing.subscriptions.subscribe("a")
    assert await subscribers(redis, "a") == 1
    assert await redis.publish("a", b"1") == 1
    await hearing.until_count(1)
    assert hearing.heard == [("a", b"1")]


async def test_a_caller_that_gives_up_waiting_has_its_reference_until_it_gives_it_back(
    hearing: Hearing, redis: Redis
) -> None:
    joining = asyncio.create_task(hearing.subscriptions.subscribe("a"))
    await asyncio.sleep(0)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert await hearing.subscriptions.subscribe("b")
    assert hearing.subscriptions.channels() == ["a", "b"]
    assert await subscribers(redis, "a") == 1
    hearing.subscriptions.unsubscribe("a")
    assert await hearing.subscriptions.subscribe("c")
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
    with BlockingRedis.from_url(
        redis_url
    ) as publisher:  # the loop stands still meanwhile, so that all are there at once
        pipeline = publisher.pipeline(transaction=False)
        for _ in range(messages):
            pipeline.publish("a", b"")
        pipeline.execute()
    await others
    turns.append(count)
    longest = max(later - earlier for earlier, later in pairwise(turns))
    assert longest <= MESSAGES_PER_TURN
    await subscriptions.stop()


async def test_stopping_answers_those_who_wait(redis_url: str) -> None:
    redis = open_redis(redis_url, client_name="test")
    subscriptions = Subscriptions(redis, confirm_within_s=60)
    waiting = asyncio.create_task(subscriptions.subscribe("a"))
    await asyncio.sleep(0)
    await subscriptions.stop()
    assert not await waiting
    await redis.aclose()
