"""A watching session is live, suspended and catching up in turn; its snapshot is what its client knows for sure."""

from __future__ import annotations

import pytest

from realtime.engine.session.session import Session
from realtime.presence.watch_table import WatchSnapshot, WatchTable
from tests.kit.recording_session import RecordingSession

ADA, BEA, CID = 1, 2, 3
UNNOTICED_S = 45.0


class Lab:
    def __init__(self) -> None:
        self.time_s = 1_000.0
        self.table = WatchTable(unnoticed_s=UNNOTICED_S, now_s=lambda: self.time_s)

    def watching(self, *user_ids: int, is_online: bool = True) -> Session:
        """A session that watches these users as ADA; their state is known."""
        session = RecordingSession()
        self.table.add(session, ADA, user_ids)
        for user_id in user_ids:
            user = self.table.user(user_id)
            assert user is not None
            user.is_online = is_online
        return session

    def watchers_of(self, user_id: int) -> dict[Session, int] | None:
        user = self.table.user(user_id)
        return None if user is None else user.watchers


@pytest.fixture
def lab() -> Lab:
    return Lab()


async def test_a_live_session_is_a_watcher_until_it_is_removed(lab: Lab) -> None:
    session = lab.watching(BEA, CID)
    assert lab.watchers_of(BEA) == {session: ADA} and set(lab.table.user_ids()) == {BEA, CID}
    lab.table.remove(session, [BEA, 99])
    assert lab.watchers_of(BEA) is None and lab.table.watched_by(session) == {CID}
    lab.table.remove(session)
    assert lab.table.is_empty and lab.table.snapshot(session) is None


async def test_who_adds_nobody_is_no_watcher(lab: Lab) -> None:
    session = lab.watching()
    assert lab.table.is_empty and lab.table.snapshot(session) is None


async def test_a_suspended_session_is_no_watcher_and_keeps_its_snapshot(lab: Lab) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    assert lab.table.is_empty and lab.table.watched_by(session) == frozenset()
    assert lab.table.snapshot(session) == (ADA, {BEA: True})
    lab.table.suspend(session)
    assert lab.table.snapshot(session) == (ADA, {BEA: True})
    assert lab.table.take_catching_up() == {}


async def test_a_resumed_session_catches_up_once(lab: Lab) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    assert set(lab.table.resume(session)) == {BEA}
    assert lab.table.resume(session) == () and lab.watchers_of(BEA) == {session: ADA}
    assert lab.table.take_catching_up() == {session: (ADA, {BEA: True})}
    assert lab.table.take_catching_up() == {}


async def test_what_a_client_knew_stays_known_until_it_has_caught_up(lab: Lab) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    lab.table.resume(session)
    user = lab.table.user(BEA)
    assert user is not None
    user.is_online, user.told_at_s = False, lab.time_s
    assert lab.table.snapshot(session) == (ADA, {BEA: True})
    lab.table.take_catching_up()
    assert lab.table.snapshot(session) == (ADA, {BEA: None})


async def test_what_was_sent_shortly_before_a_loss_is_not_known_for_sure(lab: Lab) -> None:
    session = lab.watching(BEA, CID)
    bea = lab.table.user(BEA)
    assert bea is not None
    bea.told_at_s = lab.time_s
    assert lab.table.snapshot(session) == (ADA, {BEA: None, CID: True})
    lab.time_s += UNNOTICED_S
    assert lab.table.snapshot(session) == (ADA, {BEA: True, CID: True})
    lab.table.mark_caught_up(session)
    assert lab.table.snapshot(session) == (ADA, {BEA: None, CID: None})
    lab.time_s += UNNOTICED_S
    assert lab.table.snapshot(session) == (ADA, {BEA: True, CID: True})


async def test_a_session_is_put_back_to_catch_up_again(lab: Lab) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    lab.table.resume(session)
    taken = lab.table.take_catching_up()
    lab.table.mark_caught_up(session)
    lab.table.put_back(taken)
    assert lab.table.snapshot(session) == (ADA, {BEA: True})
    assert lab.table.take_catching_up() == taken


@pytest.mark.parametrize("then", ["removed", "suspended", "resumed"])
async def test_a_session_that_changed_meanwhile_is_not_put_back(lab: Lab, then: str) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    lab.table.resume(session)
    taken = lab.table.take_catching_up()
    lab.table.mark_caught_up(session)
    if then == "removed":
        lab.table.remove(session)
    else:
        lab.table.suspend(session)
    if then == "resumed":
        lab.table.resume(session)
    lab.table.put_back(taken)
    expected = {session: (ADA, {BEA: None})} if then == "resumed" else {}
    assert lab.table.take_catching_up() == expected


async def test_a_session_from_another_node_brings_its_snapshot(lab: Lab) -> None:
    session = RecordingSession()
    lab.table.suspend(session, WatchSnapshot(ADA, {BEA: True, CID: None}))
    lab.table.resume(session)
    bea, cid = lab.table.user(BEA), lab.table.user(CID)
    assert bea is not None and cid is not None
    assert (bea.is_online, cid.is_online) == (True, None)
    assert lab.table.watched_by(session) == {BEA, CID}


async def test_calls_that_come_late_for_a_suspended_session_count_when_it_is_back(lab: Lab) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    lab.table.add(session, ADA, [BEA, CID])
    lab.table.remove(session, [BEA])
    assert lab.table.is_empty and lab.table.snapshot(session) == (ADA, {CID: None})
    lab.table.resume(session)
    assert lab.watchers_of(CID) == {session: ADA} and lab.watchers_of(BEA) is None
    lab.table.suspend(session)
    lab.table.remove(session, [CID])
    assert lab.table.snapshot(session) is None and lab.table.resume(session) == ()


async def test_nothing_is_left_of_a_session_that_unwatches_everybody_while_it_catches_up(lab: Lab) -> None:
    session = lab.watching(BEA)
    lab.table.suspend(session)
    lab.table.resume(session)
    lab.table.remove(session, [BEA])
    assert lab.table.is_empty and lab.table.snapshot(session) is None
    assert lab.table.take_catching_up() == {}
