from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from redis.asyncio import Redis

from realtime.presence.tracker import CHANNEL, IDS_PER_MESSAGE, PresenceTracker, pack_changed, unpack_changed
from realtime.pubsub.memory_backplane import MemoryBackplane, MemoryBroker
from realtime.pubsub.topic_registry import TTL_S, TopicRegistry
from realtime.redis.client import StoreUnavailable
from tests.kit.services import Valkey

GRACE_S = 30.0


class LabNode:
    """A node without clients: the test says who comes and goes, and when a second is over."""

    def __init__(self, redis: Redis, node_id: str, broker: MemoryBroker) -> None:
        self.backplane = MemoryBackplane(node_id, broker)
        self.topic_registry = TopicRegistry(redis, node_id)
        self.time_s = 1_000.0
        self.noted: list[Mapping[int, int]] = []
        self.said: list[tuple[int, ...]] = []
        self.presence = PresenceTracker(
            self.topic_registry, self.backplane, grace_s=GRACE_S, save_last_seen=self._note, now_s=lambda: self.time_s
        )

    async def start(self) -> None:
        await self.backplane.start(on_message=self._hear, on_missed=lambda channel: None)
        await self.topic_registry.start(on_lost=lambda topic: None)
        await self.backplane.subscribe(CHANNEL)

    async def stop(self) -> None:
        await self.topic_registry.stop()
        await self.backplane.stop()

    async def tell(self, *, after_s: float = 0.0) -> list[tuple[int, ...]]:
        """What this node has heard on the channel once it has told what it had to tell."""
        self.time_s += after_s
        await self.presence.publish_changes()
        await asyncio.sleep(0)
        said, self.said = self.said, []
        return said

    async def _note(self, left_ms: Mapping[int, int]) -> None:
        self.noted.append(left_ms)

    def _hear(self, channel: str, body: bytes) -> None:
        self.said.append(unpack_changed(body))


@pytest.fixture
async def nodes(redis: Redis) -> AsyncIterator[tuple[LabNode, LabNode]]:
    broker = MemoryBroker()
    one, other = LabNode(redis, "one", broker), LabNode(redis, "other", broker)
    for node in (one, other):
        await node.start()
    yield one, other
    for node in (one, other):
        await node.stop()


async def online_if_reached(node: LabNode, *user_ids: int) -> set[int] | None:
    try:
        return await node.presence.online(user_ids)
    except StoreUnavailable:
        return None


async def test_all_who_came_within_a_second_are_told_of_in_one_message(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    for user_id in range(1, 501):
        one.presence.device_connected(f"device{user_id}", user_id)
    assert [set(ids) for ids in await one.tell()] == [set(range(1, 501))]
    assert await other.presence.online([1, 500, 501]) == {1, 500}
    assert await one.tell() == []


async def test_any_number_of_changes_keeps_to_the_size_of_a_message(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    everybody = set(range(1, 2 * IDS_PER_MESSAGE + 2))
    for user_id in everybody:
        one.presence.device_connected(f"device{user_id}", user_id)
    said = await one.tell()
    assert [len(ids) for ids in said] == [IDS_PER_MESSAGE, IDS_PER_MESSAGE, 1]
    assert set().union(*said) == everybody
    assert await other.presence.online(sorted(everybody)) == everybody


async def test_somebody_is_gone_when_the_last_device_has_been_gone_for_the_grace(
    nodes: tuple[LabNode, LabNode],
) -> None:
    one, other = nodes
    for device in ("phone", "laptop", "laptop"):
        one.presence.device_connected(device, 7)
    await one.tell()
    one.presence.device_disconnected("phone")
    assert await one.tell(after_s=10 * GRACE_S) == []
    one.presence.device_disconnected("laptop")
    one.presence.device_disconnected("laptop")
    assert await one.tell(after_s=GRACE_S - 1) == [] and await other.presence.online([7]) == {7}
    assert await one.tell(after_s=1) == [(7,)] and await other.presence.online([7]) == set()
    assert [set(left) for left in one.noted] == [{7}]


async def test_a_reconnect_within_the_grace_says_nothing(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    one.presence.device_connected("socket1", 7)
    await one.tell()
    for attempt in range(2, 6):
        one.presence.device_disconnected(f"socket{attempt - 1}")
        assert await one.tell(after_s=GRACE_S - 1) == []
        one.presence.device_connected(f"socket{attempt}", 7)
        assert await one.tell(after_s=GRACE_S) == []
        assert await other.presence.online([7]) == {7}
    assert one.noted == []


async def test_whoever_moves_to_another_node_is_online_all_the_time(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    one.presence.device_connected("socket", 7)
    await one.tell()
    one.presence.device_disconnected("socket")
    other.presence.device_connected("socket", 7)
    await other.tell()
    assert await one.presence.online([7]) == {7}
    await one.tell(after_s=GRACE_S)
    assert await one.presence.online([7]) == {7}


async def test_a_device_that_was_here_for_less_than_a_second_does_not_stay(nodes: tuple[LabNode, LabNode]) -> None:
    one, _ = nodes
    one.presence.device_connected("socket", 7)
    one.presence.device_disconnected("socket")
    await one.tell()
    assert await one.presence.online([7]) == {7}
    await one.tell(after_s=GRACE_S)
    assert await one.presence.online([7]) == set()
    one.presence.device_connected("socket", 7)
    one.presence.device_disconnected("socket")
    await one.tell(after_s=GRACE_S)  # came, left and stayed away between two messages
    assert await one.presence.online([7]) == set()
    one.presence.device_connected("socket", 7)
    assert await one.tell() == [(7,)] and await one.presence.online([7]) == {7}


async def test_a_stopped_node_leaves_its_people_time_to_come_back_elsewhere(
    nodes: tuple[LabNode, LabNode], redis: Redis
) -> None:
    one, other = nodes
    one.presence.device_connected("phone", 7)
    one.presence.device_connected("laptop", 8)
    await one.tell()
    one.presence.device_disconnected("laptop")
    await one.presence.stop()
    await one.topic_registry.stop()
    assert await other.presence.online([7, 8]) == {7, 8}
    assert GRACE_S - 10 < await redis.ttl("listen:{presence}:one") <= GRACE_S
    assert [set(left) for left in one.noted] == [{8}]


async def test_a_killed_node_is_forgotten_when_its_time_to_live_is_over(
    nodes: tuple[LabNode, LabNode], redis: Redis
) -> None:
    one, other = nodes
    one.presence.device_connected("phone", 7)
    await one.tell()
    assert TTL_S == 60 and 0 < await redis.ttl("listen:{presence}:one") <= TTL_S
    await redis.delete("listen:{presence}:one")
    assert await other.presence.online([7]) == set()


async def test_a_flushed_registry_is_written_again(nodes: tuple[LabNode, LabNode], redis: Redis) -> None:
    one, other = nodes
    one.presence.device_connected("phone", 7)
    await one.tell()
    await redis.flushall()
    async with asyncio.timeout(5):
        while await other.presence.online([7]) != {7}:
            await asyncio.sleep(0.05)


async def test_who_came_and_went_while_redis_was_away_is_known_afterwards(
    nodes: tuple[LabNode, LabNode], valkey: Valkey
) -> None:
    one, _ = nodes
    one.presence.device_connected("phone", 7)
    await one.tell()
    await asyncio.to_thread(valkey.stop)
    one.presence.device_disconnected("phone")
    one.presence.device_connected("laptop", 8)
    await one.tell(after_s=GRACE_S)
    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(5):
        while await online_if_reached(one, 7, 8) != {8}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("ids", [(), (1,), tuple(range(2**62, 2**62 + IDS_PER_MESSAGE))])
def test_ids_survive_the_way(ids: tuple[int, ...]) -> None:
    body = pack_changed(ids)
    assert unpack_changed(body) == ids and not body.startswith(b"\x00")


@pytest.mark.parametrize("body", [b"", b"p1234567", b"x12345678"])
def test_what_is_no_list_of_ids_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        unpack_changed(body)
