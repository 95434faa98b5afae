"""Which sessions are kept for clients that are away, and which expire first."""

from __future__ import annotations

import asyncio

from realtime.engine.recovery.kept_sessions import EXPIRED_PER_TURN, KeptSessions
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session


class Lab:
    """`expired` are the ids of sessions in order."""

    def __init__(self, *, window_s: float = 60.0, max_count: int = 1_000, max_per_user: int = 1_000) -> None:
        self.expired: list[str] = []
        self._connection: Connection[Session] = Connection.closed()
        self.kept = KeptSessions(
            window_s=window_s,
            max_count=max_count,
            max_per_user=max_per_user,
            on_expired=lambda session: self.expired.append(session.id),
        )

    def add(self, id: str, user_id: int | None = None, remaining_s: float | None = None) -> Session:
        session = Session(id=id, namespace="/", connection=self._connection, user_id=user_id)
        self.kept.add(session, remaining_s)
        return session


async def test_beyond_the_bound_the_first_to_be_lost_expire() -> None:
    lab = Lab(max_count=2)
    for id in "abc":
        lab.add(id)
    assert lab.expired == ["a"] and len(lab.kept) == 2
    lab.kept.stop()
    assert lab.expired == ["a", "b", "c"] and len(lab.kept) == 0


async def test_the_sessions_of_one_user_do_not_displace_those_of_others() -> None:
    lab = Lab(max_count=5, max_per_user=2)
    lab.add("other", 1)
    lab.add("unknown")
    for number in range(10):
        lab.add(str(number), 2)
    assert lab.expired == [str(number) for number in range(8)]
    assert len(lab.kept) == 4
    lab.kept.stop()


async def test_a_removed_session_does_not_count() -> None:
    lab = Lab(max_per_user=2)
    first, second = lab.add("first", 1), lab.add("second", 1)
    assert lab.kept.remove(first) and not lab.kept.remove(first)
    assert lab.kept.remaining_s(first) is None and (lab.kept.remaining_s(second) or 0) > 0
    lab.add("third", 1)
    assert lab.expired == []
    lab.kept.expire(first)
    assert lab.expired == []
    lab.kept.stop()


async def test_each_waits_for_the_rest_of_its_window() -> None:
    lab = Lab(window_s=60.0)
    lab.add("moved", remaining_s=0.01)
    lab.add("own")
    async with asyncio.timeout(10):
        while lab.expired != ["moved"]:
            await asyncio.sleep(0.005)
    assert len(lab.kept) == 1
    lab.kept.stop()


async def test_sessions_that_expire_together_do_not_block_the_loop() -> None:
    lab = Lab(window_s=0.0)
    most_in_a_turn, expired = 0, 0
    for number in range(5 * EXPIRED_PER_TURN):
        lab.add(str(number))
    async with asyncio.timeout(10):
        while len(lab.kept):
            await asyncio.sleep(0)
            most_in_a_turn, expired = max(most_in_a_turn, len(lab.expired) - expired), len(lab.expired)
    assert expired == 5 * EXPIRED_PER_TURN and most_in_a_turn <= EXPIRED_PER_TURN
    lab.kept.stop()
