from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from handlers.presence.notices import ROWS_PER_STATEMENT, PresenceNotices
from realtime.presence.watches import PresenceChange, Watcher
from sql.database import load_queries
from sql.ids import UserId
from sql.pool import Pool, close_pool
from sql.unit import Units
from tests.kit.clock import ManualClock
from tests.kit.pool import opened_pool
from tests.kit.recording_session import RecordingSession
from tests.sql.world import World


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await opened_pool(database_url)
    yield pool
    await close_pool(pool, timeout_s=2)


@pytest.fixture
def world(pool: Pool) -> World:
    return World(Units(pool, load_queries(), acquire_timeout_s=2))


def notices_of(world: World, clock: ManualClock) -> PresenceNotices:
    return PresenceNotices(world.units, clock)


async def test_who_comes_is_told_with_the_present_and_who_goes_with_the_time_they_were_here_last(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    clock, socket = ManualClock(), RecordingSession()
    notices = notices_of(world, clock)
    left_ms = 4_000_000_000_000
    await notices.store_last_seen({bob: left_ms})
    for is_online in (True, False):
        assert await notices.notify_watchers([PresenceChange(bob, is_online, [Watcher(socket, ann)])])
    now_ms = round(clock.now().timestamp() * 1000)
    assert socket.heard == [
        ("presence:changed", {"user_id": str(bob), "online": True, "last_active_ms": now_ms}),
        ("presence:changed", {"user_id": str(bob), "online": False, "last_active_ms": left_ms}),
    ]


async def test_no_watcher_is_told_through_a_block(world: World) -> None:
    ann, bob, cat, dan = await world.people("ann", "bob", "cat", "dan")
    await world.block(bob, ann)
    await world.block(cat, bob)
    sockets = {person: RecordingSession() for person in (ann, cat, dan)}
    watchers = [Watcher(socket, person) for person, socket in sockets.items()]
    assert await notices_of(world, ManualClock()).notify_watchers([PresenceChange(bob, True, watchers)])
    assert [len(sockets[person].heard) for person in (ann, cat, dan)] == [0, 0, 1]


async def test_any_number_of_changes_is_told(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    sockets = [RecordingSession() for _ in range(ROWS_PER_STATEMENT + 10)]
    strangers = [Watcher(socket, 10**6 + number) for number, socket in enumerate(sockets)]
    last = RecordingSession()
    changes = [PresenceChange(bob, True, [*strangers, Watcher(last, ann)])]
    assert await notices_of(world, ManualClock()).notify_watchers(changes)
    assert len(last.heard) == 1


async def test_without_postgresql_nothing_is_told_or_noted(world: World, pool: Pool) -> None:
    ann, bob = await world.people("ann", "bob")
    notices, socket = notices_of(world, ManualClock()), RecordingSession()
    async with world.units.write(), world.units.write():  # all connections there are
        hurried = PresenceNotices(Units(pool, load_queries(), acquire_timeout_s=0.05), ManualClock())
        await hurried.store_last_seen({bob: 4_000_000_000_000})
        assert not await hurried.notify_watchers([PresenceChange(UserId(bob), True, [Watcher(socket, ann)])])
    assert socket.heard == []
    assert await notices.notify_watchers([PresenceChange(bob, False, [Watcher(socket, ann)])])
    ((_, data),) = socket.heard
    assert isinstance(data, dict) and data["last_active_ms"] < 4_000_000_000_000
