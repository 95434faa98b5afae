"""What becomes of sessions that a node was offered. tests/recovery/ shows that they are resumed whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
import pytest_asyncio

from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.handoff.session_handoff import SessionHandoff
from realtime.presence.watches import PresenceChange, PresenceWatches
from tests.realtime.nodes import LabNode, running_nodes

ROOM = "talk:1"


class Lab:
    """A node with sessions that asked for recovery, and with those that it takes from others."""

    def __init__(self, node: LabNode, *, prepared_timeout_s: float = 60.0) -> None:
        self.node = node
        self.recoverable = RecoverableSessions(
            hub=node.hub, logs=node.logs, policy=self, node_id=node.backplane.node_id, window_s=60.0
        )
        self.watches = PresenceWatches(self, node.backplane, notify=self._tell)
        self.handoff = SessionHandoff(
            recoverable=self.recoverable,
            membership=node.membership,
            fanout=node.fanout,
            watches=self.watches,
            prepared_timeout_s=prepared_timeout_s,
        )

    async def session(self) -> Session:
        session = Session(id="s", namespace="/one", connection=Connection.closed())
        self.recoverable.add(session)
        self.node.membership.add_session(session)
        await self.node.membership.join(session, ROOM)
        await self.watches.watch(session, 1, [2])
        assert session.recovery_state is not None
        session.recovery_state.mark_caught_up()
        return session

    @property
    def members(self) -> Sequence[object]:
        return tuple(self.node.hub.members("/one", ROOM))

    async def online(self, user_ids: Sequence[int]) -> set[int]:
        return set()

    async def _tell(self, changes: Sequence[PresenceChange]) -> bool:
        return True

    async def authorize_resume(
        self, session: Session, connection: Connection[Session], auth: Mapping[str, object]
    ) -> bool:
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


async def test_a_session_is_kept_by_its_target_with_its_presence_watches(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, target)
    assert session.recovery_state is not None
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    kept = target.recoverable.find(session.recovery_state.pid)
    assert kept is not None and kept.is_kept and kept.rooms == {ROOM}
    left, known = target.watches.snapshot(kept), old.watches.snapshot(session)
    assert left is not None and left == known
    target.recoverable.stop()
    assert target.members == () and target.watches.snapshot(kept) is None


async def test_it_is_kept_only_for_the_rest_of_its_window(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await old.session()
    session.detach()
    old.recoverable.keep(session, 5.0)
    assert await target.handoff.prepare("old", old.handoff.offer([session]))
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    assert session.recovery_state is not None
    kept = target.recoverable.find(session.recovery_state.pid)
    assert kept is not None and 0 < (target.recoverable.remaining_s(kept) or 0) <= 5.0
    for lab in (old, target):
        lab.recoverable.stop()


async def test_sessions_of_a_node_that_never_exports_are_discarded(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1], prepared_timeout_s=0.05)
    session = await offered(old, target)
    async with asyncio.timeout(10):
        while target.members:
            await asyncio.sleep(0.01)
    # The export comes too late.
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    assert session.recovery_state is not None and target.recoverable.find(session.recovery_state.pid) is None


async def test_an_export_that_cannot_be_read_leaves_no_session_behind(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, target)
    logs, recovery_states, withdrawn = old.handoff.export_sessions([session])
    (exported, *places) = recovery_states[0]
    of_another_version = {"pid": exported["pid"]}
    with pytest.raises(KeyError):
        target.handoff.import_sessions("old", [logs, [[of_another_version, *places]], withdrawn])
    assert target.members == () and target.recoverable.sessions() == ()


async def test_a_target_that_stops_discards_what_it_was_offered(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    await offered(old, target)
    target.handoff.stop()
    assert target.members == ()


async def test_a_session_that_is_not_exported_is_discarded(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    await offered(old, target)
    target.handoff.import_sessions("old", old.handoff.export_sessions([]))
    assert target.members == () and target.recoverable.sessions() == ()


async def test_a_session_that_another_node_fetched_after_the_offer_is_not_exported(nodes: list[LabNode]) -> None:
    old, target = Lab(nodes[0]), Lab(nodes[1])
    session = await offered(old, target)
    session.detach()
    old.recoverable.keep(session)
    old.recoverable.expire(session)
    target.handoff.import_sessions("old", old.handoff.export_sessions([session]))
    assert target.members == () and target.recoverable.sessions() == ()
