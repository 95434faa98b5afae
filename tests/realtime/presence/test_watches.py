from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime.contract.errors import CommandError
from realtime.presence.tracker import CHANNEL, pack_changed
from realtime.presence.watches import (
    CHECK_ALL_EVERY_S,
    MAX_WATCHED,
    OFFLINE_AFTER_S,
    UNNOTICED_S,
    PresenceChange,
    PresenceWatches,
)
from realtime.pubsub.memory_backplane import MemoryBackplane
from realtime.redis.client import StoreUnavailable
from tests.kit.recording_session import RecordingSession

ADA, BEA, CID = 1, 2, 3


class Registry:
    """Who is online, as the test says."""

    def __init__(self) -> None:
        self.people: set[int] = set()
        self.is_away = False
        self.asked = 0

    async def online(self, user_ids: Sequence[int]) -> set[int]:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return self.people & set(user_ids)


class Lab:
    def __init__(self) -> None:
        self.registry = Registry()
        self.backplane = MemoryBackplane("node")
        self.time_s = 0.0
        self.can_tell = True
        self.told: list[tuple[int, bool, int]] = []
        self.watches = PresenceWatches(self.registry, self.backplane, notify=self._tell, now_s=lambda: self.time_s)

    async def _tell(self, changes: Sequence[PresenceChange]) -> bool:
        if self.can_tell:
            self.told += [(change.user_id, change.is_online, len(change.watchers)) for change in changes]
        return self.can_tell

    async def level(self, *, after_s: float = 1.0) -> list[tuple[int, bool, int]]:
        """Who was told of, whether they are online, and how many watchers heard it."""
        self.time_s += after_s
        await self.watches.check()
        told, self.told = self.told, []
        return told

    def hear(self, *user_ids: int) -> None:
        self.watches.on_message(pack_changed(user_ids))


@pytest.fixture
def lab() -> Lab:
    return Lab()


async def test_watchers_are_told_of_changes_of_those_they_watch_and_of_no_others(lab: Lab) -> None:
    lab.registry.people = {BEA}
    assert await lab.watches.watch(RecordingSession(), ADA, [BEA, CID]) == {BEA}
    lab.registry.people = {BEA, CID, 4}
    lab.hear(CID, 4)
    assert await lab.level() == [(CID, True, 1)]
    assert await lab.level() == []


async def test_a_flap_between_two_messages_is_not_told(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    for _ in range(3):
        lab.registry.people = set()
        lab.hear(BEA)
        assert await lab.level() == []
        lab.registry.people = {BEA}
        lab.hear(BEA)
        assert await lab.level() == []
    assert await lab.level(after_s=CHECK_ALL_EVERY_S) == []


async def test_who_is_missing_is_gone_only_when_the_registry_had_time_to_heal(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = set()
    lab.hear(BEA)
    assert await lab.level() == []
    assert await lab.level(after_s=OFFLINE_AFTER_S - 0.1) == []
    assert await lab.level(after_s=0.1) == [(BEA, False, 1)]


async def test_the_death_of_a_node_is_noticed_though_nobody_says_so(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = set()
    assert await lab.level(after_s=CHECK_ALL_EVERY_S) == []
    assert await lab.level(after_s=OFFLINE_AFTER_S) == [(BEA, False, 1)]


async def test_all_is_looked_up_again_after_a_gap(lab: Lab) -> None:
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = {BEA}
    lab.watches.on_missed()
    assert await lab.level() == [(BEA, True, 1)]


async def test_nothing_is_told_while_redis_is_away_and_the_truth_afterwards(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.is_away = True
    assert await lab.watches.watch(RecordingSession(), ADA, [CID]) == set()
    lab.hear(BEA)
    assert await lab.level(after_s=CHECK_ALL_EVERY_S) == []
    lab.registry.is_away, lab.registry.people = False, {BEA, CID}
    assert await lab.level() == [(CID, True, 1)]


async def test_what_could_not_be_told_is_told_later_as_it_is_then(lab: Lab) -> None:
    await lab.watches.watch(RecordingSession(), ADA, [BEA, CID])
    lab.registry.people = {BEA, CID}
    lab.hear(BEA, CID)
    lab.can_tell = False
    assert await lab.level() == []
    lab.can_tell, lab.registry.people = True, {BEA}
    assert await lab.level() == [(BEA, True, 1)]


async def test_who_watches_later_is_answered_what_the_others_were_told(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = set()
    assert await lab.watches.watch(RecordingSession(), CID, [BEA]) == {BEA}
    assert await lab.level() == []
    assert await lab.level(after_s=OFFLINE_AFTER_S) == [(BEA, False, 2)]


async def test_who_stopped_to_watch_hears_nothing_and_nobody_asks_for_nobody(lab: Lab) -> None:
    first, second = RecordingSession(), RecordingSession()
    await lab.watches.watch(first, ADA, [BEA, CID])
    await lab.watches.watch(second, ADA, [CID])
    lab.watches.unwatch(first, [BEA, 99])
    assert lab.watches.watched_by(first) == {CID}
    lab.watches.unwatch(first)
    lab.watches.unwatch(first)
    lab.registry.people = {BEA, CID}
    lab.hear(BEA, CID)
    assert await lab.level() == [(CID, True, 1)]
    lab.watches.unwatch(second)
    asked = lab.registry.asked
    assert await lab.level(after_s=CHECK_ALL_EVERY_S) == [] and lab.registry.asked == asked


async def test_the_channel_is_heard_only_while_somebody_watches(lab: Lab) -> None:
    heard: list[bytes] = []
    await lab.backplane.start(on_message=lambda channel, body: heard.append(body), on_missed=lambda channel: None)

    def deliver() -> bool:
        heard.clear()
        lab.backplane.deliver(CHANNEL, b"x")
        return bool(heard)

    assert not deliver()
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA])
    assert deliver()
    lab.watches.unwatch(socket)
    await lab.level()
    assert not deliver()
    await lab.watches.watch(socket, ADA, [BEA])
    assert deliver()
    await lab.backplane.stop()


async def test_a_flood_of_watches_is_refused_and_changes_nothing(lab: Lab) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, range(MAX_WATCHED))
    with pytest.raises(CommandError, match="1000"):
        await lab.watches.watch(socket, ADA, [MAX_WATCHED])
    assert lab.watches.watched_by(socket) == set(range(MAX_WATCHED))
    await lab.watches.watch(socket, ADA, [0])


async def test_who_comes_back_is_told_what_has_changed_meanwhile(lab: Lab) -> None:
    socket, other = RecordingSession(), RecordingSession()
    lab.registry.people = {BEA}
    await lab.watches.watch(socket, ADA, [BEA, CID])
    await lab.watches.watch(other, ADA, [BEA])
    lab.watches.suspend(socket)
    lab.registry.people = {CID}
    lab.hear(BEA, CID)
    await lab.level()
    assert await lab.level(after_s=OFFLINE_AFTER_S) == [(BEA, False, 1)], "to the other one"
    lab.watches.resume(socket)
    assert sorted(await lab.level()) == [(BEA, False, 1), (CID, True, 1)]
    lab.registry.people = set()
    lab.hear(CID)
    await lab.level()
    assert await lab.level(after_s=OFFLINE_AFTER_S) == [(CID, False, 1)], "it watches as before"


async def test_who_comes_back_hears_nothing_where_nothing_has_changed(lab: Lab) -> None:
    socket = RecordingSession()
    lab.registry.people = {BEA}
    await lab.watches.watch(socket, ADA, [BEA, CID])
    for _ in range(3):
        lab.watches.suspend(socket)
        lab.watches.resume(socket)
        assert await lab.level(after_s=UNNOTICED_S) == []


@pytest.mark.parametrize("ways", ["told with all", "told apart"])
async def test_what_was_told_shortly_before_a_loss_is_told_again(lab: Lab, ways: str) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA, CID])
    if ways == "told apart":
        lab.watches.suspend(socket)
    lab.registry.people = {BEA}
    lab.hear(BEA)
    if ways == "told apart":
        lab.watches.resume(socket)
    assert await lab.level() == [(BEA, True, 1)]
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    told = await lab.level()
    assert (BEA, True, 1) in told
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    assert (BEA, True, 1) in await lab.level(after_s=UNNOTICED_S / 2), "and again, for it came back only just now"
    await lab.level(after_s=UNNOTICED_S + 1)
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    assert await lab.level() == []


async def test_a_session_watches_on_after_it_has_moved(lab: Lab) -> None:
    left_behind, new_home = RecordingSession(), RecordingSession()
    lab.registry.people = {BEA}
    await lab.watches.watch(left_behind, ADA, [BEA, CID])
    left = lab.watches.snapshot(left_behind)
    assert left is not None and (left.watcher_id, left.known) == (ADA, {BEA: True, CID: False})
    there = Lab()
    there.registry.people = {BEA, CID}
    there.watches.suspend(new_home, left)
    there.watches.resume(new_home)
    assert await there.level() == [(CID, True, 1)]
    assert there.watches.watched_by(new_home) == {BEA, CID}


async def test_what_cannot_be_told_to_who_comes_back_is_told_later(lab: Lab) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA])
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    lab.registry.people = {BEA}
    lab.can_tell = False
    assert await lab.level() == []
    lab.registry.is_away = True
    assert await lab.level() == []
    lab.registry.is_away, lab.can_tell = False, True
    assert await lab.level() == [(BEA, True, 1)]


async def test_nothing_is_kept_for_a_session_that_has_ended(lab: Lab) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA])
    lab.watches.suspend(socket)
    lab.watches.unwatch(socket)
    lab.watches.resume(socket)
    lab.registry.people = {BEA}
    lab.hear(BEA)
    assert await lab.level() == [] and lab.watches.snapshot(socket) is None
