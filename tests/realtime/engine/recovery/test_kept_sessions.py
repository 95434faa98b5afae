"""Which sessions are kept for clients that are away, and which are given up first."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from realtime.engine.recovery.kept_sessions import GIVEN_UP_TOGETHER, KeptSessions
from realtime.engine.session.closed_connection import closed_connection
from realtime.engine.session.session import Session


class Lab:
    """`given_up` are the ids of sessions in the order in which they were."""

    def __init__(self, *, window_s: float = 60.0, max_count: int = 1_000, max_of_one: int = 1_000) -> None:
        self.given_up: list[str] = []
        self._nobody = closed_connection()
        self.kept = KeptSessions(
            window_s=window_s,
            max_count=max_count,
            max_of_one=max_of_one,
            owner_of=_owner,
            give_up=lambda session: self.given_up.append(session.id),
        )

    def session(self, id: str, owner: int | None = None) -> Session:
        session = Session(id=id, namespace="/", connection=self._nobody)
        session.state = owner
        return session

    def put(self, id: str, owner: int | None = None, left_s: float | None = None) -> Session:
        session = self.session(id, owner)
        self.kept.put(session, left_s)
        return session


def _owner(session: Session) -> Hashable:
    assert session.state is None or isinstance(session.state, int)
    return session.state


async def test_of_too_many_the_first_to_be_lost_are_given_up() -> None:
    lab = Lab(max_count=2)
    for id in "abc":
        lab.put(id)
    assert lab.given_up == ["a"] and len(lab.kept) == 2
    lab.kept.stop()
    assert lab.given_up == ["a", "b", "c"] and len(lab.kept) == 0


async def test_nobodys_clients_push_out_those_of_others() -> None:
    lab = Lab(max_count=5, max_of_one=2)
    lab.put("other", 1)
    lab.put("unknown")
    for number in range(10):
        lab.put(str(number), 2)
    assert lab.given_up == [str(number) for number in range(8)]
    assert len(lab.kept) == 4
    lab.kept.stop()


async def test_one_that_is_taken_counts_no_more() -> None:
    lab = Lab(max_of_one=2)
    first, second = lab.put("first", 1), lab.put("second", 1)
    assert lab.kept.take(first) and not lab.kept.take(first)
    assert lab.kept.left_s(first) is None and (lab.kept.left_s(second) or 0) > 0
    lab.put("third", 1)
    assert lab.given_up == []
    lab.kept.expire(first)
    assert lab.given_up == []
    lab.kept.stop()


async def test_each_waits_for_what_is_left_of_its_window() -> None:
    lab = Lab(window_s=60.0)
    lab.put("inherited", left_s=0.01)
    lab.put("own")
    async with asyncio.timeout(10):
        while lab.given_up != ["inherited"]:
            await asyncio.sleep(0.005)
    assert len(lab.kept) == 1
    lab.kept.stop()


async def test_many_that_were_lost_together_do_not_hold_up_the_loop() -> None:
    lab = Lab(window_s=0.0)
    most_in_a_turn, given_up = 0, 0
    for number in range(5 * GIVEN_UP_TOGETHER):
        lab.put(str(number))
    async with asyncio.timeout(10):
        while len(lab.kept):
            await asyncio.sleep(0)
            most_in_a_turn, given_up = max(most_in_a_turn, len(lab.given_up) - given_up), len(lab.given_up)
    assert given_up == 5 * GIVEN_UP_TOGETHER and most_in_a_turn <= GIVEN_UP_TOGETHER
    lab.kept.stop()
