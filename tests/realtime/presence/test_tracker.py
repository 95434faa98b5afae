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
    """A node without clients: the test connects devices and moves the clock."""

    def __init__(self, redis: Redis, node_id: str, broker: MemoryBroker) -> None:
        self.backplane = MemoryBackplane(node_id, broker)
        self.topic_registry = TopicRegistry(redis, node_id)
        self.time_s = 1_000.0
        self.last_seen: list[Mapping[int, int]] = []
        self.received: list[tuple[int, ...]] = []
        self.presence = PresenceTracker(
            self.topic_registry,
            self.backplane,
            grace_s=GRACE_S,
            save_last_seen=self._save_last_seen,
            now_s=lambda: self.time_s,
        )

    async def start(self) -> None:
        await self.backplane.start(on_message=self._receive, on_missed=lambda channel: None)
        await self.topic_registry.start(on_lost=lambda topic: None)
        await self.backplane.subscribe(CHANNEL)

    async def stop(self) -> None:
        await self.topic_registry.stop()
        await self.backplane.stop()

    async def publish(self, *, after_s: float = 0.0) -> list[tuple[int, ...]]:
        """The messages of changed users that this node receives after it has published."""
        self.time_s += after_s
        await self.presence.publish_changes()
        await asyncio.sleep(0)
        received, self.received = self.received, []
        return received

    async def _save_last_seen(self, left_ms: Mapping[int, int]) -> None:
        self.last_seen.append(left_ms)

    def _receive(self, channel: str, body: bytes) -> None:
        self.received.append(unpack_changed(body))


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


async def test_users_who_came_within_a_second_are_published_in_one_message(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    for user_id in range(1, 501):
        one.presence.device_connected(f"device{user_id}", user_id)
    assert [set(ids) for ids in await one.publish()] == [set(range(1, 501))]
    assert await other.presence.online([1, 500, 501]) == {1, 500}
    assert await one.publish() == []


async def test_any_number_of_changes_keeps_to_the_size_of_a_message(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    everybody = set(range(1, 2 * IDS_PER_MESSAGE + 2))
    for user_id in everybody:
        one.presence.device_connected(f"device{user_id}", user_id)
    received = await one.publish()
    assert [len(ids) for ids in received] == [IDS_PER_MESSAGE, IDS_PER_MESSAGE, 1]
    assert set().union(*received) == everybody
    assert await other.presence.online(sorted(everybody)) == everybody


async def test_a_user_goes_offline_when_the_last_device_is_gone_for_the_grace_time(
    nodes: tuple[LabNode, LabNode],
) -> None:
    one, other = nodes
    for device in ("phone", "laptop", "laptop"):
        one.presence.device_connected(device, 7)
    await one.publish()
    one.presence.device_disconnected("phone")
    assert await one.publish(after_s=10 * GRACE_S) == []
    one.presence.device_disconnected("laptop")
    one.presence.device_disconnected("laptop")
    assert await one.publish(after_s=GRACE_S - 1) == [] and await other.presence.online([7]) == {7}
    assert await one.publish(after_s=1) == [(7,)] and await other.presence.online([7]) == set()
    assert [set(left) for left in one.last_seen] == [{7}]


async def test_a_reconnect_within_the_grace_time_publishes_nothing(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    one.presence.device_connected("socket1", 7)
    await one.publish()
    for attempt in range(2, 6):
        one.presence.device_disconnected(f"socket{attempt - 1}")
        assert await one.publish(after_s=GRACE_S - 1) == []
        one.presence.device_connected(f"socket{attempt}", 7)
        assert await one.publish(after_s=GRACE_S) == []
        assert await other.presence.online([7]) == {7}
    assert one.last_seen == []


async def test_a_user_who_moves_to_another_node_is_online_all_the_time(nodes: tuple[LabNode, LabNode]) -> None:
    one, other = nodes
    one.presence.device_connected("socket", 7)
    await one.publish()
    one.presence.device_disconnected("socket")
    other.presence.device_connected("socket", 7)
    await other.publish()
    assert await one.presence.online([7]) == {7}
    await one.publish(after_s=GRACE_S)
    assert await one.presence.online([7]) == {7}


async def test_a_user_with_a_short_connection_goes_offline_too(nodes: tuple[LabNode, LabNode]) -> None:
    one, _ = nodes
    one.presence.device_connected("socket", 7)
    one.presence.device_disconnected("socket")
    await one.publish()
    assert await one.presence.online([7]) == {7}
    await one.publish(after_s=GRACE_S)
    assert await one.presence.online([7]) == set()
    one.presence.device_connected("socket", 7)
    one.presence.device_disconnected("socket")
    await one.publish(after_s=GRACE_S)  # came, left and stayed away between two messages
    assert await one.presence.online([7]) == set()
    one.presence.device_connected("socket", 7)
    assert await one.publish() == [(7,)] and await one.presence.online([7]) == {7}


async def test_users_of_a_stopped_node_stay_online_for_the_grace_time(
    nodes: tuple[LabNode, LabNode], redis: Redis
) -> None:
    one, other = nodes
    one.presence.device_connected("phone", 7)
    one.presence.device_connected("laptop", 8)
    await one.publish()
    one.presence.device_disconnected("laptop")
    await one.presence.stop()
    await one.topic_registry.stop()
    assert await other.presence.online([7, 8]) == {7, 8}
    assert GRACE_S - 10 < await redis.ttl("listen:{presence}:one") <= GRACE_S
    assert [set(left) for left in one.last_seen] == [{8}]


async def test_users_of_a_killed_node_go_offline_when_its_entries_expire(
    nodes: tuple[LabNode, LabNode], redis: Redis
) -> None:
    one, other = nodes
    one.presence.device_connected("phone", 7)
    await one.publish()
    assert TTL_S == 60 and 0 < await redis.ttl("listen:{presence}:one") <= TTL_S
    await redis.delete("listen:{presence}:one")
    assert await other.presence.online([7]) == set()


async def test_a_flushed_registry_is_written_again(nodes: tuple[LabNode, LabNode], redis: Redis) -> None:
    one, other = nodes
    one.presence.device_connected("phone", 7)
    await one.publish()
    await redis.flushall()
    async with asyncio.timeout(5):
        while await other.presence.online([7]) != {7}:
            await asyncio.sleep(0.05)


async def test_changes_during_an_outage_are_known_after_it(nodes: tuple[LabNode, LabNode], valkey: Valkey) -> None:
    one, _ = nodes
    one.presence.device_connected("phone", 7)
    await one.publish()
    await asyncio.to_thread(valkey.stop)
    one.presence.device_disconnected("phone")
    one.presence.device_connected("laptop", 8)
    await one.publish(after_s=GRACE_S)
    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(5):
        while await online_if_reached(one, 7, 8) != {8}:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("ids", [(), (1,), tuple(range(2**62, 2**62 + IDS_PER_MESSAGE))])
def test_changed_users_are_unpacked_as_they_were_packed(ids: tuple[int, ...]) -> None:
    body = pack_changed(ids)
    assert unpack_changed(body) == ids and not body.startswith(b"\x00")


@pytest.mark.parametrize("body", [b"", b"p1234567", b"x12345678"])
def test_a_body_that_names_no_users_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        unpack_changed(body)
