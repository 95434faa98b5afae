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
    """Says that those are online whom the test names."""

    def __init__(self) -> None:
        self.people: set[int] = set()
        self.is_away = False
        self.lookups = 0

    async def online(self, user_ids: Sequence[int]) -> set[int]:
        self.lookups += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return self.people & set(user_ids)


class Lab:
    def __init__(self) -> None:
        self.registry = Registry()
        self.backplane = MemoryBackplane("node")
        self.time_s = 0.0
        self.can_notify = True
        self.told: list[tuple[int, bool, int]] = []
        self.watches = PresenceWatches(self.registry, self.backplane, notify=self._notify, now_s=lambda: self.time_s)

    async def _notify(self, changes: Sequence[PresenceChange]) -> bool:
        if self.can_notify:
            self.told += [(change.user_id, change.is_online, len(change.watchers)) for change in changes]
        return self.can_notify

    async def check(self, *, after_s: float = 1.0) -> list[tuple[int, bool, int]]:
        """The changes that watchers were told: user, whether online, number of watchers."""
        self.time_s += after_s
        await self.watches.check()
        told, self.told = self.told, []
        return told

    def changed(self, *user_ids: int) -> None:
        self.watches.on_message(pack_changed(user_ids))


@pytest.fixture
def lab() -> Lab:
    return Lab()


async def test_watchers_are_told_of_changes_of_those_they_watch_and_of_no_others(lab: Lab) -> None:
    lab.registry.people = {BEA}
    assert await lab.watches.watch(RecordingSession(), ADA, [BEA, CID]) == {BEA}
    lab.registry.people = {BEA, CID, 4}
    lab.changed(CID, 4)
    assert await lab.check() == [(CID, True, 1)]
    assert await lab.check() == []


async def test_a_flap_between_two_messages_is_not_told(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    for _ in range(3):
        lab.registry.people = set()
        lab.changed(BEA)
        assert await lab.check() == []
        lab.registry.people = {BEA}
        lab.changed(BEA)
        assert await lab.check() == []
    assert await lab.check(after_s=CHECK_ALL_EVERY_S) == []


async def test_a_missing_user_is_offline_only_after_the_registry_had_time_to_be_restored(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = set()
    lab.changed(BEA)
    assert await lab.check() == []
    assert await lab.check(after_s=OFFLINE_AFTER_S - 0.1) == []
    assert await lab.check(after_s=0.1) == [(BEA, False, 1)]


async def test_the_death_of_a_node_is_noticed_without_a_message(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = set()
    assert await lab.check(after_s=CHECK_ALL_EVERY_S) == []
    assert await lab.check(after_s=OFFLINE_AFTER_S) == [(BEA, False, 1)]


async def test_all_users_are_looked_up_after_lost_messages(lab: Lab) -> None:
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = {BEA}
    lab.watches.on_missed()
    assert await lab.check() == [(BEA, True, 1)]


async def test_watchers_are_told_after_an_outage_and_not_during_it(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.is_away = True
    assert await lab.watches.watch(RecordingSession(), ADA, [CID]) == set()
    lab.changed(BEA)
    assert await lab.check(after_s=CHECK_ALL_EVERY_S) == []
    lab.registry.is_away, lab.registry.people = False, {BEA, CID}
    assert await lab.check() == [(CID, True, 1)]


async def test_a_failed_notification_is_repeated_with_the_state_of_that_time(lab: Lab) -> None:
    await lab.watches.watch(RecordingSession(), ADA, [BEA, CID])
    lab.registry.people = {BEA, CID}
    lab.changed(BEA, CID)
    lab.can_notify = False
    assert await lab.check() == []
    lab.can_notify, lab.registry.people = True, {BEA}
    assert await lab.check() == [(BEA, True, 1)]


async def test_a_later_watcher_is_answered_what_the_others_were_told(lab: Lab) -> None:
    lab.registry.people = {BEA}
    await lab.watches.watch(RecordingSession(), ADA, [BEA])
    lab.registry.people = set()
    assert await lab.watches.watch(RecordingSession(), CID, [BEA]) == {BEA}
    assert await lab.check() == []
    assert await lab.check(after_s=OFFLINE_AFTER_S) == [(BEA, False, 2)]


async def test_a_session_that_unwatched_is_told_nothing_and_unwatched_users_are_not_looked_up(lab: Lab) -> None:
    first, second = RecordingSession(), RecordingSession()
    await lab.watches.watch(first, ADA, [BEA, CID])
    await lab.watches.watch(second, ADA, [CID])
    lab.watches.unwatch(first, [BEA, 99])
    assert lab.watches.watched_by(first) == {CID}
    lab.watches.unwatch(first)
    lab.watches.unwatch(first)
    lab.registry.people = {BEA, CID}
    lab.changed(BEA, CID)
    assert await lab.check() == [(CID, True, 1)]
    lab.watches.unwatch(second)
    lookups = lab.registry.lookups
    assert await lab.check(after_s=CHECK_ALL_EVERY_S) == [] and lab.registry.lookups == lookups


async def test_the_channel_is_subscribed_only_while_a_session_watches(lab: Lab) -> None:
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
    await lab.check()
    assert not deliver()
    await lab.watches.watch(socket, ADA, [BEA])
    assert deliver()
    await lab.backplane.stop()


async def test_too_many_watches_are_refused_and_change_nothing(lab: Lab) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, range(MAX_WATCHED))
    with pytest.raises(CommandError, match="1000"):
        await lab.watches.watch(socket, ADA, [MAX_WATCHED])
    assert lab.watches.watched_by(socket) == set(range(MAX_WATCHED))
    await lab.watches.watch(socket, ADA, [0])


async def test_a_resumed_session_is_told_what_has_changed_meanwhile(lab: Lab) -> None:
    socket, other = RecordingSession(), RecordingSession()
    lab.registry.people = {BEA}
    await lab.watches.watch(socket, ADA, [BEA, CID])
    await lab.watches.watch(other, ADA, [BEA])
    lab.watches.suspend(socket)
    lab.registry.people = {CID}
    lab.changed(BEA, CID)
    await lab.check()
    assert await lab.check(after_s=OFFLINE_AFTER_S) == [(BEA, False, 1)], "to the other one"
    lab.watches.resume(socket)
    assert sorted(await lab.check()) == [(BEA, False, 1), (CID, True, 1)]
    lab.registry.people = set()
    lab.changed(CID)
    await lab.check()
    assert await lab.check(after_s=OFFLINE_AFTER_S) == [(CID, False, 1)], "it watches as before"


async def test_a_resumed_session_is_told_nothing_where_nothing_has_changed(lab: Lab) -> None:
    socket = RecordingSession()
    lab.registry.people = {BEA}
    await lab.watches.watch(socket, ADA, [BEA, CID])
    for _ in range(3):
        lab.watches.suspend(socket)
        lab.watches.resume(socket)
        assert await lab.check(after_s=UNNOTICED_S) == []


@pytest.mark.parametrize("ways", ["told with all", "told apart"])
async def test_what_was_told_shortly_before_a_loss_is_told_again(lab: Lab, ways: str) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA, CID])
    if ways == "told apart":
        lab.watches.suspend(socket)
    lab.registry.people = {BEA}
    lab.changed(BEA)
    if ways == "told apart":
        lab.watches.resume(socket)
    assert await lab.check() == [(BEA, True, 1)]
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    told = await lab.check()
    assert (BEA, True, 1) in told
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    assert (BEA, True, 1) in await lab.check(after_s=UNNOTICED_S / 2), "and again, for it came back only just now"
    await lab.check(after_s=UNNOTICED_S + 1)
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    assert await lab.check() == []


async def test_a_session_keeps_watching_after_it_moved_to_another_node(lab: Lab) -> None:
    old_session, new_session = RecordingSession(), RecordingSession()
    lab.registry.people = {BEA}
    await lab.watches.watch(old_session, ADA, [BEA, CID])
    snapshot = lab.watches.snapshot(old_session)
    assert snapshot is not None and (snapshot.watcher_id, snapshot.known) == (ADA, {BEA: True, CID: False})
    there = Lab()
    there.registry.people = {BEA, CID}
    there.watches.suspend(new_session, snapshot)
    there.watches.resume(new_session)
    assert await there.check() == [(CID, True, 1)]
    assert there.watches.watched_by(new_session) == {BEA, CID}


async def test_a_resumed_session_is_told_later_where_the_first_try_failed(lab: Lab) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA])
    lab.watches.suspend(socket)
    lab.watches.resume(socket)
    lab.registry.people = {BEA}
    lab.can_notify = False
    assert await lab.check() == []
    lab.registry.is_away = True
    assert await lab.check() == []
    lab.registry.is_away, lab.can_notify = False, True
    assert await lab.check() == [(BEA, True, 1)]


async def test_nothing_is_kept_for_a_session_that_has_ended(lab: Lab) -> None:
    socket = RecordingSession()
    await lab.watches.watch(socket, ADA, [BEA])
    lab.watches.suspend(socket)
    lab.watches.unwatch(socket)
    lab.watches.resume(socket)
    lab.registry.people = {BEA}
    lab.changed(BEA)
    assert await lab.check() == [] and lab.watches.snapshot(socket) is None
