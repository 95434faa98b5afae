"""Which sessions watch which users, what they were told last, and what a client knows when it comes back."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from realtime.engine.session.session import Session

_NEVER_S = float("-inf")


class WatchState(enum.Enum):
    """How far the client of a watching session is up to date."""

    LIVE = "live"
    """The client is told of changes."""
    SUSPENDED = "suspended"
    """The client is away: nothing is sent to it. A snapshot holds what it knows."""
    CATCHING_UP = "catching_up"
    """The client is back: the next check sends it what its snapshot lacks."""


class WatchSnapshot(NamedTuple):
    """The users that a session watches as user `watcher_id`, each with the state that its client knows for sure.

    None: the client may have received the last change or not.
    """

    watcher_id: int
    known: dict[int, bool | None]


@dataclass(slots=True)
class WatchedUser:
    """`is_online` is what all watchers were told, at `told_at_s`; None until the first lookup."""

    watchers: dict[Session, int] = field(default_factory=dict)
    is_online: bool | None = None
    told_at_s: float = _NEVER_S
    missing_since_s: float | None = None


@dataclass(slots=True)
class _WatchingSession:
    """`user_ids` is empty while suspended. `known` is what the client knew when it was lost; empty while live."""

    watcher_id: int
    state: WatchState = WatchState.LIVE
    user_ids: set[int] = field(default_factory=set)
    known: dict[int, bool | None] = field(default_factory=dict)
    caught_up_at_s: float = _NEVER_S


class WatchTable:
    """Follows each watching session from its first watch until it watches nobody: live, suspended, catching up, live.

    The loss of a client may stay unnoticed for `unnoticed_s`: what was sent within that time before it was suspended
    may not have arrived.
    """

    def __init__(self, *, unnoticed_s: float, now_s: Callable[[], float]) -> None:
        self._unnoticed_s = unnoticed_s
        self._now_s = now_s
        self._users: dict[int, WatchedUser] = {}
        self._sessions: dict[Session, _WatchingSession] = {}
        self._catching_up: set[Session] = set()

    @property
    def is_empty(self) -> bool:
        """True while no session watches, but for suspended ones."""
        return not self._users

    def user(self, user_id: int) -> WatchedUser | None:
        """None where no session watches this user."""
        return self._users.get(user_id)

    def user_ids(self) -> Collection[int]:
        """All watched users."""
        return self._users.keys()

    def watched_by(self, session: Session) -> frozenset[int]:
        """The users that a session watches; none while it is suspended."""
        entry = self._sessions.get(session)
        return frozenset(entry.user_ids) if entry is not None else frozenset()

    def add(self, session: Session, watcher_id: int, user_ids: Collection[int]) -> None:
        if not user_ids:
            return
        entry = self._sessions.setdefault(session, _WatchingSession(watcher_id))
        if entry.state is WatchState.SUSPENDED:
            for user_id in user_ids:
                entry.known.setdefault(user_id, None)
            return
        entry.user_ids.update(user_ids)
        for user_id in user_ids:
            self._users.setdefault(user_id, WatchedUser()).watchers[session] = watcher_id

    def remove(self, session: Session, user_ids: Collection[int] | None = None) -> None:
        """The session no longer watches these users; None: nobody, also after a resume."""
        entry = self._sessions.get(session)
        if entry is None:
            return
        for user_id in tuple(entry.user_ids) if user_ids is None else entry.user_ids.intersection(user_ids):
            entry.user_ids.discard(user_id)
            user = self._users[user_id]
            del user.watchers[session]
            if not user.watchers:
                del self._users[user_id]
        for user_id in user_ids or ():
            entry.known.pop(user_id, None)
        remaining = entry.known if entry.state is WatchState.SUSPENDED else entry.user_ids
        if user_ids is None or not remaining:
            del self._sessions[session]
            self._catching_up.discard(session)

    def snapshot(self, session: Session) -> WatchSnapshot | None:
        """What the session's client knows for sure, should it be lost now; None for a session that watches nobody."""
        entry = self._sessions.get(session)
        if entry is None:
            return None
        if entry.state is WatchState.SUSPENDED:
            return WatchSnapshot(entry.watcher_id, dict(entry.known))
        arrived_until_s = self._now_s() - self._unnoticed_s
        caught_up = entry.caught_up_at_s <= arrived_until_s
        known: dict[int, bool | None] = {}
        for user_id in entry.user_ids:
            user = self._users[user_id]
            known[user_id] = user.is_online if caught_up and user.told_at_s <= arrived_until_s else None
        # A client that is catching up was sent nothing since it came back: it knows what it knew before.
        known.update((user_id, is_online) for user_id, is_online in entry.known.items() if user_id in known)
        return WatchSnapshot(entry.watcher_id, known)

    def suspend(self, session: Session, snapshot: WatchSnapshot | None = None) -> None:
        """The client is away. `snapshot` is given for a session that another node exported."""
        snapshot = snapshot or self.snapshot(session)
        self.remove(session)
        if snapshot is not None:
            self._sessions[session] = _WatchingSession(
                snapshot.watcher_id, WatchState.SUSPENDED, known=dict(snapshot.known)
            )

    def resume(self, session: Session) -> Collection[int]:
        """The client is back and has to catch up; returns the users to look up for it."""
        entry = self._sessions.get(session)
        if entry is None or entry.state is not WatchState.SUSPENDED:
            return ()
        entry.state = WatchState.CATCHING_UP
        self._catching_up.add(session)
        entry.user_ids = set(entry.known)
        for user_id, known in entry.known.items():
            user = self._users.setdefault(user_id, WatchedUser(is_online=known))
            user.watchers[session] = entry.watcher_id
        return entry.user_ids

    def take_catching_up(self) -> dict[Session, WatchSnapshot]:
        """The sessions that have to catch up, with their snapshots. They are live from now on; see `put_back`."""
        taken: dict[Session, WatchSnapshot] = {}
        for session in self._catching_up:
            entry = self._sessions[session]
            taken[session] = WatchSnapshot(entry.watcher_id, entry.known)
            entry.state, entry.known = WatchState.LIVE, {}
        self._catching_up.clear()
        return taken

    def put_back(self, taken: Mapping[Session, WatchSnapshot]) -> None:
        """These sessions still have to catch up, but for those that were suspended or removed meanwhile."""
        for session, snapshot in taken.items():
            entry = self._sessions.get(session)
            if entry is not None and entry.state is WatchState.LIVE:
                entry.state, entry.known = WatchState.CATCHING_UP, snapshot.known
                self._catching_up.add(session)

    def mark_caught_up(self, session: Session) -> None:
        """Changes are about to be sent to this session alone."""
        if (entry := self._sessions.get(session)) is not None:
            entry.caught_up_at_s = self._now_s()
