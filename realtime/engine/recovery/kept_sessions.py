"""The sessions of a node whose clients are away, each until it is time to give it up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from realtime.engine.session.session import Session

GIVEN_UP_TOGETHER = 64
"""So many in one turn of the loop: thousands that were lost in one moment are given up in one moment too."""


class KeptSessions:
    """Waits `window_s` for the client of each session, of at most `max_count` sessions.

    Of those that have the same owner, at most `max_of_one`: nobody's clients push out everybody else's. An owner of
    None is nobody, and bounds nothing. Beyond a bound, those that were lost first are given up, by `give_up`.
    """

    def __init__(
        self,
        *,
        window_s: float,
        max_count: int,
        max_of_one: int,
        owner_of: Callable[[Session], Hashable],
        give_up: Callable[[Session], None],
    ) -> None:
        self._window_s = window_s
        self._max_count = max_count
        self._max_of_one = max_of_one
        self._owner_of = owner_of
        self._give_up = give_up
        self._until_s: dict[Session, float] = {}
        self._by_owner: dict[Hashable, dict[Session, None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._until_s)

    def stop(self) -> None:
        """Gives up all of them."""
        for session in tuple(self._until_s):
            self.expire(session)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def put(self, session: Session, left_s: float | None = None) -> None:
        """Keeps a session from now on: for the whole window, or for what is left of it."""
        self._until_s[session] = asyncio.get_running_loop().time() + (self._window_s if left_s is None else left_s)
        owner = self._owner_of(session)
        if owner is not None:
            of_owner = self._by_owner.setdefault(owner, {})
            of_owner[session] = None
            if len(of_owner) > self._max_of_one:
                self.expire(next(iter(of_owner)))
        if len(self._until_s) > self._max_count:
            self.expire(next(iter(self._until_s)))
        self._wait_for_the_oldest()

    def take(self, session: Session) -> bool:
        """Keeps a session no longer. False: it was not kept."""
        if self._until_s.pop(session, None) is None:
            return False
        owner = self._owner_of(session)
        if owner is not None:
            of_owner = self._by_owner[owner]
            del of_owner[session]
            if not of_owner:
                del self._by_owner[owner]
        return True

    def expire(self, session: Session) -> None:
        """Gives a session up if it is kept."""
        if self.take(session):
            self._give_up(session)

    def left_s(self, session: Session) -> float | None:
        """How long a session is still kept; None for one that is not."""
        until_s = self._until_s.get(session)
        return None if until_s is None else max(0.0, until_s - asyncio.get_running_loop().time())

    def _wait_for_the_oldest(self) -> None:
        if self._timer is None and self._until_s:
            at_s = next(iter(self._until_s.values()))
            self._timer = asyncio.get_running_loop().call_at(at_s, self._expire_old)

    def _expire_old(self) -> None:
        self._timer = None
        now_s = asyncio.get_running_loop().time()
        due: list[Session] = []
        for session, until_s in self._until_s.items():
            # One that was inherited may have to wait for an older one, a window at most.
            if until_s > now_s or len(due) == GIVEN_UP_TOGETHER:
                break
            due.append(session)
        for session in due:
            self.expire(session)
        self._wait_for_the_oldest()
