"""What becomes of sessions that a node was offered. That they come back whole is shown in tests/recovery/."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence

import pytest_asyncio

from realtime.engine.recovery.recovery import Recovery
from realtime.engine.session.closed_connection import closed_connection
from realtime.engine.session.session import Connection, Session
from realtime.handoff.session_handoff import SessionHandoff
from realtime.presence.watches import PresenceChange, PresenceWatches
from tests.realtime.nodes import LabNode, running_nodes

ROOM = "talk:1"


class Lab:
    """A node with sessions that asked for recovery, and with what others leave to it."""

    def __init__(self, node: LabNode, *, given_up_after_s: float = 60.0) -> None:
        self.node = node
        self.recovery = Recovery(
            hub=node.hub, logs=node.logs, policy=self, node_id=node.backplane.node_id, window_s=60.0
        )
        self.watches = PresenceWatches(self, node.backplane, notify=self._tell)
        self.handoff = SessionHandoff(
            recovery=self.recovery,
            membership=node.membership,
            fanout=node.fanout,
            watches=self.watches,
            given_up_after_s=given_up_after_s,
        )

    async def session(self) -> Session:
        session = Session(id="s", namespace="/one", connection=closed_connection())
        self.recovery.follow(session, {"recovery": True})
        self.node.membership.add_session(session)
        await self.node.membership.join(session, ROOM)
        await self.watches.watch(session, 1, [2])
        assert session.recovery_state is not None
        session.recovery_state.found_client()
        return session

    @property
    def members(self) -> Sequence[object]:
        return tuple(self.node.hub.members("/one", ROOM))

    async def online(self, user_ids: Sequence[int]) -> set[int]:
        return set()

    async def _tell(self, changes: Sequence[PresenceChange]) -> bool:
        return True

    def owner(self, session: Session) -> Hashable:
        return None

    async def resume(self, session: Session, connection: Connection, auth: Mapping[str, object]) -> bool:
        return True

    def resumed(self, session: Session) -> None: ...

    def not_recovered(self, session: Session, code: int | None) -> None: ...

    def expired(self, session: Session) -> None:
        self.watches.unwatch(session)
        self.node.membership.remove_session(session)


@pytest_asyncio.fixture
async def nodes(redis_url: str) -> AsyncIterator[list[LabNode]]:
    async with running_nodes(redis_url, "old", "target") as running:
        yield running


async def offered(old: Lab, target: Lab) -> Session:
    session = await old.session()
    assert await target.handoff.prepare("old", old.handoff.offer([session]))
    assert len(target.members) == 1
    return session


async def test_a_session_is_kept_by_its_heir_with_whom_it_watches(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, target)
    assert session.recovery_state is not None
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    kept = target.recovery.find(session.recovery_state.pid)
    assert kept is not None and kept.kept and kept.rooms == {ROOM}
    left, known = target.watches.snapshot(kept), old.watches.snapshot(session)
    assert left is not None and left == known
    target.recovery.stop()
    assert target.members == () and target.watches.snapshot(kept) is None


async def test_it_is_kept_only_for_what_is_left_of_its_window(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await old.session()
    old.recovery.keep(session, 5.0)
    assert await target.handoff.prepare("old", old.handoff.offer([session]))
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    assert session.recovery_state is not None
    kept = target.recovery.find(session.recovery_state.pid)
    assert kept is not None and 0 < (target.recovery.left_s(kept) or 0) <= 5.0
    for lab in (old, target):
        lab.recovery.stop()


async def test_a_node_that_never_says_the_rest_leaves_nothing(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1], given_up_after_s=0.05)
    session = await offered(old, target)
    async with asyncio.timeout(10):
        while target.members:
            await asyncio.sleep(0.01)
    # The rest comes after all, too late.
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    assert session.recovery_state is not None and target.recovery.find(session.recovery_state.pid) is None


async def test_an_heir_that_stops_gives_up_what_it_was_offered(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    await offered(old, target)
    target.handoff.stop()
    assert target.members == ()


async def test_what_is_not_in_the_rest_is_given_up(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    await offered(old, target)
    target.handoff.import_sessions("old", old.handoff.export_sessions([]))
    assert target.members == () and target.recovery.sessions() == ()


async def test_one_that_somebody_else_fetched_after_the_offer_is_not_left_to_the_heir(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, target)
    old.recovery.keep(session)
    old.recovery.release(session)
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    assert target.members == () and target.recovery.sessions() == ()
