"""What becomes of sessions that a node was offered. That they come back whole is shown in tests/recovery/."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence

import pytest_asyncio

from realtime.engine.nobody import connection_to_nobody
from realtime.engine.recovery import Recovery
from realtime.engine.session import Connection, Session
from realtime.presence_watches import PresenceChange, PresenceWatches
from realtime.session_estate import SessionEstate
from tests.realtime.nodes import LabNode, running_nodes

ROOM = "talk:1"


class Lab:
    """A node with sessions that asked for recovery, and with what others leave to it."""

    def __init__(self, node: LabNode, *, given_up_after_s: float = 60.0) -> None:
        self.node = node
        self.recovery = Recovery(
            hub=node.hub, logs=node.logs, policy=self, node_id=node.backplane.node_id, window_s=60.0
        )
        self.watches = PresenceWatches(self, node.backplane, tell=self._tell)
        self.estate = SessionEstate(
            recovery=self.recovery,
            membership=node.membership,
            fanout=node.fanout,
            watches=self.watches,
            given_up_after_s=given_up_after_s,
        )

    async def session(self) -> Session:
        session = Session(id="s", namespace="/one", connection=connection_to_nobody())
        self.recovery.follow(session, {"recovery": True})
        self.node.membership.admit(session)
        await self.node.membership.enter(session, ROOM)
        await self.watches.watch(session, 1, [2])
        assert session.trail is not None
        session.trail.found_client()
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
        self.node.membership.release(session)


@pytest_asyncio.fixture
async def nodes(redis_url: str) -> AsyncIterator[list[LabNode]]:
    async with running_nodes(redis_url, "old", "heir") as running:
        yield running


async def offered(old: Lab, heir: Lab) -> Session:
    session = await old.session()
    assert await heir.estate.prepare("old", old.estate.offer([session]))
    assert len(heir.members) == 1
    return session


async def test_a_session_is_kept_by_its_heir_with_whom_it_watches(nodes: list[LabNode]) -> None:
    old, heir = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, heir)
    assert session.trail is not None
    heir.estate.inherit("old", old.estate.bequest([session]))
    kept = heir.recovery.find(session.trail.pid)
    assert kept is not None and kept.kept and kept.rooms == {ROOM}
    left, known = heir.watches.left_by(kept), old.watches.left_by(session)
    assert left is not None and left == known
    heir.recovery.stop()
    assert heir.members == () and heir.watches.left_by(kept) is None


async def test_it_is_kept_only_for_what_is_left_of_its_window(nodes: list[LabNode]) -> None:
    old, heir = Lab(nodes[0]), Lab(nodes[1])
    session = await old.session()
    old.recovery.keep(session, 5.0)
    assert await heir.estate.prepare("old", old.estate.offer([session]))
    heir.estate.inherit("old", old.estate.bequest([session]))
    assert session.trail is not None
    kept = heir.recovery.find(session.trail.pid)
    assert kept is not None and 0 < (heir.recovery.left_s(kept) or 0) <= 5.0
    for lab in (old, heir):
        lab.recovery.stop()


async def test_a_node_that_never_says_the_rest_leaves_nothing(nodes: list[LabNode]) -> None:
    old, heir = Lab(nodes[0]), Lab(nodes[1], given_up_after_s=0.05)
    session = await offered(old, heir)
    async with asyncio.timeout(10):
        while heir.members:
            await asyncio.sleep(0.01)
    # The rest comes after all, too late.
    heir.estate.inherit("old", old.estate.bequest([session]))
    assert session.trail is not None and heir.recovery.find(session.trail.pid) is None


async def test_an_heir_that_stops_gives_up_what_it_was_offered(nodes: list[LabNode]) -> None:
    old, heir = Lab(nodes[0]), Lab(nodes[1])
    await offered(old, heir)
    heir.estate.stop()
    assert heir.members == ()


async def test_what_is_not_in_the_rest_is_given_up(nodes: list[LabNode]) -> None:
    old, heir = Lab(nodes[0]), Lab(nodes[1])
    await offered(old, heir)
    heir.estate.inherit("old", old.estate.bequest([]))
    assert heir.members == () and heir.recovery.sessions() == ()


async def test_one_that_somebody_else_fetched_after_the_offer_is_not_left_to_the_heir(nodes: list[LabNode]) -> None:
    old, heir = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, heir)
    old.recovery.keep(session)
    old.recovery.release(session)
    heir.estate.inherit("old", old.estate.bequest([session]))
    assert heir.members == () and heir.recovery.sessions() == ()
