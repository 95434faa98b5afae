"""The rooms of new sessions are read for all waiting callers at once, and never before they called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from handlers.feature import Feature
from realtime.contract.declarations import Push
from server.pipeline.registry import Registry
from server.rooms.room_reader import USERS_PER_READ, RoomReader
from sql.database import Database, load_queries
from sql.errors import Unavailable
from sql.ids import UserId
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.log_watch import watched_log
from tests.kit.odd_feature import Note
from tests.kit.pool import opened_pool


class Belongings:
    """What everybody belongs to; a read takes as long as `may_end` is not set."""

    def __init__(self) -> None:
        self.rooms: dict[int, list[str]] = {}
        self.reads: list[set[int]] = []
        self.failures: list[Exception] = []
        self.may_end = asyncio.Event()

    async def read(self, db: Database, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[str]]:
        self.reads.append(set(user_ids))
        found = {user_id: list(self.rooms[user_id]) for user_id in user_ids if user_id in self.rooms}
        await self.may_end.wait()
        if self.failures:
            raise self.failures.pop()
        return found

    async def until_reads(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.reads) < count:
                await asyncio.sleep(0.001)


@pytest.fixture
def belongings() -> Belongings:
    return Belongings()


@pytest_asyncio.fixture
async def room_reader(belongings: Belongings, database_url: str) -> AsyncIterator[RoomReader]:
    said = tuple(Push(name=f"said{name}", namespace=name, model=Note, audience="Nobody.") for name in ("/x", "/y"))
    feature = Feature(name="x", commands=(), pushes=said, entry_rooms={"/x": belongings.read})
    pool = await opened_pool(database_url)
    room_reader = RoomReader(Registry([feature]), Units(pool, load_queries(), acquire_timeout_s=2))
    yield room_reader
    await room_reader.stop()
    await close_pool(pool, timeout_s=1)


def _ask(room_reader: RoomReader, *user_ids: int) -> list[asyncio.Task[Sequence[str]]]:
    return [asyncio.create_task(_rooms(room_reader, user_id)) for user_id in user_ids]


async def _rooms(room_reader: RoomReader, user_id: int) -> Sequence[str]:
    return await room_reader.rooms_of("/x", user_id)


async def test_waiting_callers_share_one_read_that_began_after_their_calls(
    room_reader: RoomReader, belongings: Belongings
) -> None:
    belongings.rooms = {1: ["a"], 2: ["b", "c"]}
    first = _ask(room_reader, 1)
    await belongings.until_reads(1)
    belongings.rooms[1] = ["a", "new"]
    others = _ask(room_reader, 1, 2, 2, 3)
    await asyncio.sleep(0)
    belongings.may_end.set()
    assert await asyncio.gather(*first, *others) == [["a"], ["a", "new"], ["b", "c"], ["b", "c"], []]
    assert belongings.reads == [{1}, {1, 2, 3}]


async def test_a_crowd_is_read_in_bounded_parts(room_reader: RoomReader, belongings: Belongings) -> None:
    belongings.may_end.set()
    crowd = range(1, USERS_PER_READ * 2 + 2)
    assert await asyncio.gather(*_ask(room_reader, *crowd)) == [[] for _ in crowd]
    assert [len(read) for read in belongings.reads] == [USERS_PER_READ, USERS_PER_READ, 1]


async def test_a_cancelled_caller_does_not_cancel_the_others(room_reader: RoomReader, belongings: Belongings) -> None:
    belongings.rooms = {1: ["a"]}
    leaving, staying = _ask(room_reader, 1, 1)
    await belongings.until_reads(1)
    leaving.cancel()
    belongings.may_end.set()
    assert await staying == ["a"]
    assert leaving.cancelled() or leaving.cancelling()


async def test_a_failed_read_fails_its_callers_and_no_later_ones(
    room_reader: RoomReader, belongings: Belongings
) -> None:
    belongings.rooms = {1: ["a"]}
    belongings.failures = [Unavailable("away")]
    asked = _ask(room_reader, 1, 2)
    belongings.may_end.set()
    for answer in asked:
        with pytest.raises(Unavailable):
            await answer
    assert await room_reader.rooms_of("/x", 1) == ["a"]


async def test_an_outage_is_logged_in_two_lines_for_any_number_of_calls(
    room_reader: RoomReader, belongings: Belongings
) -> None:
    belongings.may_end.set()
    belongings.failures = [Unavailable("away") for _ in range(3)]
    with watched_log("room_reader_waits", "room_reader_waits_over") as seen:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await room_reader.rooms_of("/x", 1)
        assert [line["event"] for line in seen] == ["room_reader_waits"]
        await room_reader.rooms_of("/x", 1)
    assert [line["event"] for line in seen] == ["room_reader_waits", "room_reader_waits_over"]


async def test_nothing_is_read_in_a_namespace_without_entry_rooms(
    room_reader: RoomReader, belongings: Belongings
) -> None:
    assert await room_reader.rooms_of("/y", 1) == ()
    assert room_reader.namespaces == ("/x",)
    assert belongings.reads == []


async def test_stopping_cancels_waiting_callers(room_reader: RoomReader, belongings: Belongings) -> None:
    waiting = _ask(room_reader, 1)
    await belongings.until_reads(1)
    waiting += _ask(room_reader, 2)
    await asyncio.sleep(0)
    await room_reader.stop()
    for answer in waiting:
        with pytest.raises(asyncio.CancelledError):
            await answer
