from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from realtime.feeds.packed_lists import IDLE_TTL_S, TRIM_SLACK, PackedList, PackedLists
from realtime.redis.client import StoreUnavailable
from tests.kit.services import Valkey

MAX_LENGTH = 200
BIG = 2**62


@pytest.fixture
async def lists(redis: Redis) -> AsyncIterator[PackedLists]:
    lists = PackedLists(redis, prefix="list", max_length=MAX_LENGTH)
    yield lists
    await lists.stop()


async def build(lists: PackedLists, owner_id: int, ids: list[int], floor: int = 0) -> None:
    token = await lists.begin_rebuild(owner_id)
    assert token is not None
    assert await lists.finish_rebuild(owner_id, token, ids, floor)


async def test_a_list_is_read_from_the_largest_id_down_without_duplicates(lists: PackedLists) -> None:
    await build(lists, 1, [BIG + 3, BIG + 1, 7])
    for item_id in (BIG + 2, BIG + 3, 8):
        assert await lists.push([1], item_id) == 1
    assert await lists.read(1) == PackedList([BIG + 3, BIG + 2, BIG + 1, 8, 7], floor=0)


async def test_ids_that_come_late_doubly_or_out_of_order_stand_in_their_place(lists: PackedLists) -> None:
    chance = random.Random(4)
    for token in (await lists.begin_rebuild(1), None):  # while it is built, and afterwards
        for _ in range(90):
            await lists.push([1], BIG + chance.randrange(100))
        if token is not None:
            assert await lists.finish_rebuild(1, token, [7, BIG + 50, BIG + 51, 9, 7], 0)
    found = await lists.read(1)
    assert found is not None
    assert found.ids == sorted(set(found.ids), reverse=True)
    assert {7, 9, BIG + 50, BIG + 51} < set(found.ids)
    assert len(found.ids) > 60


async def test_a_push_reaches_existing_lists_only(lists: PackedLists) -> None:
    for owner_id in range(0, 3_000, 2):
        await build(lists, owner_id, [])
    assert await lists.push(range(3_000), 5) == 1_500
    assert await lists.read(0) == await lists.read(2_998) == PackedList([5], floor=0)
    assert await lists.read(1) is None
    assert await lists.push([], 6) == 0


async def test_a_missing_list_reads_as_none(lists: PackedLists) -> None:
    assert await lists.read(1) is None


async def test_an_empty_list_is_a_list(lists: PackedLists) -> None:
    await build(lists, 1, [], floor=9)
    assert await lists.read(1) == PackedList([], floor=9)


async def test_trimming_keeps_the_list_bounded_and_the_floor_true(lists: PackedLists) -> None:
    await build(lists, 1, [])
    for item_id in range(1, MAX_LENGTH + TRIM_SLACK + 1):
        await lists.push([1], item_id)
    assert await lists.read(1) == PackedList(list(range(MAX_LENGTH + TRIM_SLACK, 0, -1)), floor=0)
    await lists.push([1], MAX_LENGTH + TRIM_SLACK + 1)
    trimmed = await lists.read(1)
    assert trimmed == PackedList(list(range(301, 101, -1)), floor=101)


async def test_the_floor_rises_to_the_largest_trimmed_id_beyond_53_bits(lists: PackedLists) -> None:
    await build(lists, 1, [BIG], floor=BIG - 1)
    newest = BIG + MAX_LENGTH + TRIM_SLACK
    for item_id in range(newest, BIG, -1):
        await lists.push([1], item_id)
    cut = newest - MAX_LENGTH
    assert await lists.read(1) == PackedList(list(range(newest, cut, -1)), floor=cut)


async def test_a_part_of_a_list_has_the_floor_of_what_it_lacks(lists: PackedLists) -> None:
    ids = list(range(BIG + 60, BIG, -3))
    await build(lists, 1, ids, floor=BIG - 5)
    for below in (BIG + 99, BIG + 60, BIG + 31, BIG + 30, BIG + 4, BIG + 3, BIG, 0):
        for count in (1, 2, 9, 19, 20, 99):
            wanted = [item_id for item_id in ids if item_id < below]
            floor = BIG - 5 if len(wanted) <= count else wanted[count - 1]
            assert await lists.read(1, below=below, count=count) == PackedList(wanted[:count], floor)


async def test_a_list_keeps_the_version_that_it_was_built_with(lists: PackedLists) -> None:
    token = await lists.begin_rebuild(1)
    assert token is not None
    assert await lists.finish_rebuild(1, token, [], 0, version=BIG + 1)
    for item_id in range(1, MAX_LENGTH + TRIM_SLACK + 2):
        await lists.push([1], item_id)
    assert await lists.read(1) == PackedList(list(range(301, 101, -1)), floor=101, version=BIG + 1)


async def test_a_list_built_longer_than_the_bound_is_trimmed_to_it(lists: PackedLists) -> None:
    await build(lists, 1, list(range(1_000, 0, -1)))
    assert await lists.read(1) == PackedList(list(range(1_000, 800, -1)), floor=800)


async def test_what_is_pushed_during_a_rebuild_is_in_the_list(lists: PackedLists) -> None:
    token = await lists.begin_rebuild(1)
    assert token is not None
    assert await lists.push([1], 50) == 1
    assert await lists.read(1) is None
    assert await lists.finish_rebuild(1, token, [40, 30], 20)
    assert await lists.read(1) == PackedList([50, 40, 30], floor=20)


async def test_more_than_the_bound_may_be_pushed_during_a_rebuild(lists: PackedLists) -> None:
    token = await lists.begin_rebuild(1)
    assert token is not None
    newest = 1_000 + MAX_LENGTH + TRIM_SLACK + 10
    for item_id in range(1_000, newest + 1):
        await lists.push([1], item_id)
    assert await lists.finish_rebuild(1, token, [40, 30], 20)
    cut = newest - MAX_LENGTH
    assert await lists.read(1) == PackedList(list(range(newest, cut, -1)), floor=cut)


async def test_one_of_many_callers_gets_the_lease(lists: PackedLists) -> None:
    tokens = await asyncio.gather(*(lists.begin_rebuild(1) for _ in range(20)))
    assert len([token for token in tokens if token is not None]) == 1


async def test_a_complete_list_is_not_built_again(lists: PackedLists) -> None:
    await build(lists, 1, [5])
    assert await lists.begin_rebuild(1) is None
    assert await lists.read(1) == PackedList([5], floor=0)


async def test_an_expired_lease_can_be_taken_over_and_the_first_builder_writes_nothing(lists: PackedLists) -> None:
    slow = await lists.begin_rebuild(1, lease_ms=50)
    assert slow is not None
    await lists.push([1], 5)
    await asyncio.sleep(0.06)
    quick = await lists.begin_rebuild(1)
    assert quick is not None
    assert not await lists.finish_rebuild(1, slow, [9], 0)
    assert await lists.finish_rebuild(1, quick, [7], 0)
    assert not await lists.finish_rebuild(1, slow, [9], 0)
    assert await lists.read(1) == PackedList([7], floor=0)


async def test_an_expired_lease_is_valid_until_it_is_taken_over(lists: PackedLists) -> None:
    token = await lists.begin_rebuild(1, lease_ms=50)
    assert token is not None
    await asyncio.sleep(0.06)
    assert await lists.finish_rebuild(1, token, [9], 0)


async def test_an_abandoned_list_expires(lists: PackedLists, redis: Redis) -> None:
    await lists.begin_rebuild(1, lease_ms=20)
    async with asyncio.timeout(10):
        while await redis.keys():
            await asyncio.sleep(0.01)
    assert await lists.push([1], 5) == 0


async def test_a_forgotten_list_is_gone_and_its_builder_writes_nothing(lists: PackedLists) -> None:
    await build(lists, 1, [5])
    token = await lists.begin_rebuild(2)
    assert token is not None
    await build(lists, 3, [6])
    await lists.forget([1, 2])
    assert await lists.read(1) is None
    assert not await lists.finish_rebuild(2, token, [5], 0)
    assert await lists.read(2) is None
    assert await lists.read(3) == PackedList([6], floor=0)


async def test_reading_renews_the_time_to_live_and_pushing_does_not(lists: PackedLists, redis: Redis) -> None:
    await build(lists, 1, [5])
    (key,) = await redis.keys()
    await redis.expire(key, 100)
    await lists.push([1], 6)
    assert await redis.ttl(key) <= 100
    await lists.read(1)
    assert IDLE_TTL_S - 10 < await redis.ttl(key) <= IDLE_TTL_S


async def test_the_time_to_live_is_a_setting(redis: Redis) -> None:
    lists = PackedLists(redis, prefix="list", idle_ttl_s=1_000)
    try:
        await build(lists, 1, [5])
        (key,) = await redis.keys()
        assert 990 < await redis.ttl(key) <= 1_000
        await redis.expire(key, 100)
        await lists.read(1)
        assert 990 < await redis.ttl(key) <= 1_000
    finally:
        await lists.stop()


async def test_owners_of_one_bucket_share_a_cluster_slot(lists: PackedLists, redis: Redis) -> None:
    for owner_id in (1, 17, 33):
        await build(lists, owner_id, [])
    assert sorted(await redis.keys()) == [b"list:{b1}:1", b"list:{b1}:17", b"list:{b1}:33"]


async def test_an_outage_raises(lists: PackedLists, valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.stop)
    with pytest.raises(StoreUnavailable):
        await lists.read(1)
    with pytest.raises(StoreUnavailable):
        await lists.push([1], 5)
    with pytest.raises(StoreUnavailable):
        await lists.forget([1])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 60)),
        st.tuples(st.sampled_from(["push", "push again", "begin", "select", "finish", "forget"]), st.just(0)),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
@example(steps=[("commit", 37), ("begin", 0), ("select", 0), ("push", 0), ("finish", 0)])
async def test_whatever_interleaves_the_list_holds_every_id_above_its_floor(
    redis: Redis, steps: list[tuple[str, int]]
) -> None:
    """Ids are committed in any order, then pushed late, doubly or out of order, while lists are built and forgotten."""
    lists = PackedLists(redis, prefix="list", max_length=4)
    await lists.forget([1])
    committed: set[int] = set()
    unpushed: list[int] = []
    token: bytes | None = None
    rows: tuple[list[int], int] | None = None
    try:
        for step, number in steps:
            match step:
                case "commit":
                    for offset in range(3 * number):
                        item_id = BIG + (number * 7_919 + offset * 104_729) % 1_000_003
                        if item_id not in committed:
                            committed.add(item_id)
                            unpushed.append(item_id)
                case "push" if unpushed:
                    for item_id in unpushed[::-1]:
                        await lists.push([1], item_id)
                    unpushed.clear()
                case "push again":
                    for item_id in sorted(committed - set(unpushed))[:3]:
                        await lists.push([1], item_id)
                case "begin":
                    taken = await lists.begin_rebuild(1)
                    if taken is not None:
                        token, rows = taken, None
                case "select" if token is not None:
                    newest = sorted(committed, reverse=True)[:4]
                    rows = newest, (newest[-1] - 1 if len(newest) == 4 else 0)
                case "finish" if token is not None and rows is not None:
                    await lists.finish_rebuild(1, token, *rows)
                    token = rows = None
                case "forget":
                    await lists.forget([1])
            found = await lists.read(1)
            if found is not None:
                owed = {item_id for item_id in committed - set(unpushed) if item_id > found.floor}
                assert owed <= set(found.ids) <= committed
                assert found.ids == sorted(set(found.ids), reverse=True)
                assert len(found.ids) <= 4 + TRIM_SLACK + 4
    finally:
        await lists.stop()
