"""The sessions of a node whose clients are away, each until its recovery window ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.engine.session.session import Session

EXPIRED_PER_TURN = 64
"""In one turn of the loop: thousands of sessions that were lost in one moment also expire in one moment."""


class KeptSessions:
    """Waits `window_s` for the client of each session, of at most `max_count` sessions.

    At most `max_per_user` sessions of one user are kept, so that no user's clients displace those of others; anonymous
    sessions are not bounded by it. Beyond a bound, the sessions that were put here first expire. `on_expired` is called
    with each session that expires.
    """

    def __init__(
        self, *, window_s: float, max_count: int, max_per_user: int, on_expired: Callable[[Session], None]
    ) -> None:
        self._window_s = window_s
        self._max_count = max_count
        self._max_per_user = max_per_user
        self._on_expired = on_expired
        self._until_s: dict[Session, float] = {}
        self._by_user: dict[int, dict[Session, None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._until_s)

    def stop(self) -> None:
        """Lets all of them expire."""
        for session in tuple(self._until_s):
            self.expire(session)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def add(self, session: Session, remaining_s: float | None = None) -> None:
        """Keeps a session from now on: for the whole window, or for the rest of it."""
        wait_s = self._window_s if remaining_s is None else remaining_s
        self._until_s[session] = asyncio.get_running_loop().time() + wait_s
        if session.user_id is not None:
            of_user = self._by_user.setdefault(session.user_id, {})
            of_user[session] = None
            if len(of_user) > self._max_per_user:
                self.expire(next(iter(of_user)))
        if len(self._until_s) > self._max_count:
            self.expire(next(iter(self._until_s)))
        self._wait_for_the_oldest()

    def remove(self, session: Session) -> bool:
        """Keeps a session no longer. False: it was not kept."""
        if self._until_s.pop(session, None) is None:
            return False
        if session.user_id is not None:
            of_user = self._by_user[session.user_id]
            del of_user[session]
            if not of_user:
                del self._by_user[session.user_id]
        return True

    def expire(self, session: Session) -> None:
        """Lets a session expire if it is kept."""
        if self.remove(session):
            self._on_expired(session)

    def remaining_s(self, session: Session) -> float | None:
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
            # A session from another node stands behind those put before it, however little time it has left: it may
            # expire up to one window late.
            if until_s > now_s or len(due) == EXPIRED_PER_TURN:
                break
            due.append(session)
        for session in due:
            self.expire(session)
        self._wait_for_the_oldest()
