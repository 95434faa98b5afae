from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from realtime.pubsub.topic_registry import TTL_S, TopicRegistry
from realtime.redis.client import StoreUnavailable
from tests.kit.services import Valkey

Make = Callable[[str], TopicRegistry]


@pytest.fixture
async def make(redis: Redis) -> AsyncIterator[Make]:
    """Makes the registry of a node."""
    made: list[TopicRegistry] = []

    def make(node_id: str) -> TopicRegistry:
        made.append(TopicRegistry(redis, node_id))
        return made[-1]

    yield make
    for topic_registry in made:
        await topic_registry.stop()


class Losses:
    """Waits for topics that were lost."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self._told = asyncio.Event()

    def __call__(self, topic: str) -> None:
        self.topics.append(topic)
        self._told.set()

    async def until_told(self) -> None:
        async with asyncio.timeout(10):
            await self._told.wait()
        self._told.clear()


async def test_subscribers_are_grouped_by_node_and_others_left_out(make: Make) -> None:
    a, b, reader = make("a"), make("b"), make("worker")
    for user_id in (1, 2, 2**62):
        await a.add_subscribers("feed", user_id)
    await b.add_subscribers("feed", 2)
    await b.add_subscribers("other", 3)
    assert await reader.subscribers_by_node("feed", [2, 2**62, 3, 4]) == {"a": [2, 2**62], "b": [2]}
    assert await reader.subscribers_by_node("feed", [3, 4]) == {}
    assert await reader.subscribers_by_node("feed", []) == {}
    assert await reader.subscribers_by_node("unknown", [1]) == {}
    assert await reader.all_subscribers_by_node("feed") == {"a": {1, 2, 2**62}, "b": {2}}


async def test_any_number_of_users_is_looked_up_completely(make: Make) -> None:
    a = make("a")
    await asyncio.gather(*(a.add_subscribers("feed", user_id) for user_id in range(0, 5_000, 2)))
    found = await a.subscribers_by_node("feed", range(2_501))
    assert found == {"a": list(range(0, 2_501, 2))}


async def test_a_user_subscribes_until_the_last_reference_is_dropped(make: Make) -> None:
    a = make("a")
    await a.add_subscribers("feed", 1)
    await a.add_subscribers("feed", 1)
    await a.remove_subscribers("feed", 1)
    assert await a.subscribers_by_node("feed", [1]) == {"a": [1]}
    await a.remove_subscribers("feed", 1)
    assert await a.subscribers_by_node("feed", [1]) == {}
    await a.remove_subscribers("feed", 1)
    assert await a.all_subscribers_by_node("feed") == {}


async def test_many_are_added_and_removed_in_one_call(make: Make) -> None:
    a = make("a")
    await a.add_subscribers("feed", *range(5_000))
    await a.add_subscribers("feed", 1, 2)
    await a.remove_subscribers("feed", *range(4_999), 6_000)
    assert await a.all_subscribers_by_node("feed") == {"a": {1, 2, 4_999}}
    await a.add_subscribers("feed")
    await a.remove_subscribers("feed")
    await a.remove_subscribers("unknown", 1)


async def test_an_abandoned_topic_expires_after_the_given_time(make: Make, redis: Redis) -> None:
    a, b = make("a"), make("b")
    await a.add_subscribers("feed", 1)
    await a.add_subscribers("presence", 1)
    await a.abandon("presence", expire_after_s=20)
    await a.abandon("unknown", expire_after_s=20)
    await a.stop()
    assert await b.subscribers_by_node("presence", [1]) == {"a": [1]}
    assert await b.subscribers_by_node("feed", [1]) == {}
    assert 0 < await redis.ttl("listen:{presence}:a") <= 20


async def test_overlapping_changes_end_as_the_last_one(make: Make) -> None:
    a = make("a")
    changes = []
    for user_id in range(50):
        changes += [
            a.add_subscribers("feed", user_id),
            a.remove_subscribers("feed", user_id),
            a.add_subscribers("feed", user_id),
        ]
        if user_id % 2:
            changes.append(a.remove_subscribers("feed", user_id))
    await asyncio.gather(*changes)
    assert await a.all_subscribers_by_node("feed") == {"a": set(range(0, 50, 2))}


async def test_a_node_that_stops_deletes_its_entries(make: Make, redis: Redis) -> None:
    a, b = make("a"), make("b")
    await a.add_subscribers("feed", 1)
    await b.add_subscribers("feed", 1)
    await a.stop()
    assert await b.subscribers_by_node("feed", [1]) == {"b": [1]}
    await b.stop()
    assert await redis.keys() == []


async def test_entries_of_a_dead_node_expire(make: Make, redis: Redis) -> None:
    a, b = make("a"), make("b")
    await a.add_subscribers("feed", 1)
    assert 0 < await redis.ttl("listen:{feed}:a") <= TTL_S
    await redis.delete("listen:{feed}:a")  # as its time to live would have done
    assert await b.subscribers_by_node("feed", [1]) == {}
    assert await redis.exists("listen:{feed}") == 0


async def test_a_living_node_renews_its_time_to_live(make: Make, redis: Redis) -> None:
    a, losses = make("a"), Losses()
    await a.start(on_lost=losses)
    await a.add_subscribers("feed", 1)
    await redis.expire("listen:{feed}:a", 3)
    async with asyncio.timeout(10):
        while await redis.ttl("listen:{feed}:a") <= 3:
            await asyncio.sleep(0.05)
    assert losses.topics == []


async def test_flushed_entries_are_written_again_and_reported(make: Make, redis: Redis) -> None:
    a, losses = make("a"), Losses()
    await a.start(on_lost=losses)
    await a.add_subscribers("feed", 1)
    await a.add_subscribers("feed", 2)
    await redis.flushall()
    await losses.until_told()
    assert losses.topics == ["feed"]
    assert await a.all_subscribers_by_node("feed") == {"a": {1, 2}}


async def test_a_loss_is_noticed_though_additions_came_after_it(make: Make, redis: Redis) -> None:
    a, losses = make("a"), Losses()
    await a.start(on_lost=losses)
    await asyncio.gather(*(a.add_subscribers("feed", user_id) for user_id in range(10)))
    await redis.flushall()
    await redis.config_resetstat()
    await asyncio.gather(*(a.add_subscribers("feed", user_id) for user_id in range(10, 20)))
    assert losses.topics == ["feed"]
    assert (await redis.info("commandstats"))["cmdstat_exec"]["calls"] == 1  # written anew once, not by each of the ten
    assert await a.all_subscribers_by_node("feed") == {"a": set(range(20))}


async def test_subscribers_added_during_an_outage_are_registered_after_it(make: Make, valkey: Valkey) -> None:
    a, losses = make("a"), Losses()
    await a.start(on_lost=losses)
    await a.add_subscribers("feed", 1)
    await asyncio.to_thread(valkey.stop)
    with pytest.raises(StoreUnavailable):
        await a.add_subscribers("feed", 2)
    with pytest.raises(StoreUnavailable):
        await a.remove_subscribers("feed", 1)
    with pytest.raises(StoreUnavailable):
        await a.subscribers_by_node("feed", [1])
    with pytest.raises(StoreUnavailable):
        await a.all_subscribers_by_node("feed")
    await asyncio.to_thread(valkey.start)
    await losses.until_told()
    assert losses.topics == ["feed"]
    assert await a.all_subscribers_by_node("feed") == {"a": {2}}


async def test_stopping_during_an_outage_does_no_harm(make: Make, valkey: Valkey) -> None:
    a = make("a")
    await a.start(on_lost=Losses())
    await a.add_subscribers("feed", 1)
    await asyncio.to_thread(valkey.stop)
    await a.stop()
