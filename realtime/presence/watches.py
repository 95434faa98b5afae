"""Tells sessions when the users that they watch come online or go offline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NamedTuple, Protocol

import structlog

from realtime.contract.errors import TOO_LARGE, CommandError
from realtime.engine.session.session import Session
from realtime.presence.tracker import CHANNEL, PUBLISH_EVERY_S, unpack_changed
from realtime.presence.watch_table import WatchSnapshot, WatchTable
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.pubsub.backplane import Backplane
from realtime.redis.client import StoreUnavailable

MAX_WATCHED = 1_000
"""By one session."""
CHECK_ALL_EVERY_S = 10.0
"""How often all watched users are looked up: no message tells of a node that dies, and messages may be lost."""
OFFLINE_AFTER_S = 5.0
"""How long a user must be missing from the registry to count as offline: a flushed registry is restored sooner."""
UNNOTICED_S = 45.0
"""How long the loss of a client may stay unnoticed."""

log = structlog.get_logger(__name__)


class OnlineLookup(Protocol):
    async def online(self, user_ids: Sequence[int]) -> set[int]: ...


class Watcher(NamedTuple):
    """A watching session, and its user."""

    session: Session
    user_id: int


class PresenceChange(NamedTuple):
    """A user came online or went offline, and these watchers have to be told."""

    user_id: int
    is_online: bool
    watchers: Sequence[Watcher]


NotifyWatchers = Callable[[Sequence[PresenceChange]], Awaitable[bool]]
"""False when no watcher could be told now: it is called again a second later, with the state of that time."""


class PresenceWatches:
    """Watchers are told of a change at most once a second, and only of what differs from what they were told last.

    Messages between nodes name users who may have changed, and the registry says who is online: neither the order of
    messages nor a lost one matters. The channel is subscribed only while any session watches. `now_s` is a clock that
    never goes back.
    """

    def __init__(
        self,
        presence: OnlineLookup,
        backplane: Backplane,
        *,
        notify: NotifyWatchers,
        unnoticed_s: float = UNNOTICED_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._presence = presence
        self._backplane = backplane
        self._notify = notify
        self._now_s = now_s
        self._table = WatchTable(unnoticed_s=unnoticed_s, now_s=now_s)
        self._due: set[int] = set()
        self._check_all_at_s = now_s() + CHECK_ALL_EVERY_S
        self._subscribed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="presence-watches")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def watch(self, session: Session, watcher_id: int, user_ids: Collection[int]) -> set[int]:
        """Tells a session of changes of these users from now on; returns those of them who are online.

        While Redis is away it returns nobody; the session is told who is online when Redis is back. Raises CommandError
        `too_large` when the session would watch more than MAX_WATCHED users.
        """
        if len(self._table.watched_by(session).union(user_ids)) > MAX_WATCHED:
            raise CommandError(TOO_LARGE, f"A socket watches at most {MAX_WATCHED} people.")
        self._table.add(session, watcher_id, user_ids)
        await self._update_subscription()
        try:
            online = await self._presence.online(list(user_ids))
        except StoreUnavailable:
            online = set()
            self._due.update(user_ids)
        found: set[int] = set()
        for user_id in user_ids:
            user = self._table.user(user_id)
            if user is None:
                continue
            if user.is_online is None:
                user.is_online = user_id in online
            elif user.is_online is not (user_id in online):
                self._due.add(user_id)
            # The answer is the state that was announced last, even if the registry differs: the next check announces
            # the difference to all watchers, this one too.
            if user.is_online:
                found.add(user_id)
        return found

    def unwatch(self, session: Session, user_ids: Collection[int] | None = None) -> None:
        """The session is no longer told of these users; None: of nobody, also after `resume`."""
        self._table.remove(session, user_ids)

    def watched_by(self, session: Session) -> frozenset[int]:
        """The users that a session watches; none while its client is away."""
        return self._table.watched_by(session)

    def snapshot(self, session: Session) -> WatchSnapshot | None:
        """What the session's client knows for sure, be it away or not; None for a session that watches nobody."""
        return self._table.snapshot(session)

    def suspend(self, session: Session, snapshot: WatchSnapshot | None = None) -> None:
        """The client is away: nothing is sent to it until `resume`. `snapshot` is what another node exported of it."""
        self._table.suspend(session, snapshot)

    def resume(self, session: Session) -> None:
        """The client is back: the session watches the same users, and the next check sends what the client lacks."""
        self._due.update(self._table.resume(session))

    def on_message(self, body: bytes) -> None:
        """Handles a message of CHANNEL."""
        self._due.update(user_id for user_id in unpack_changed(body) if self._table.user(user_id) is not None)

    def on_missed(self) -> None:
        """Messages of CHANNEL may have been lost."""
        self._due.update(self._table.user_ids())

    async def check(self) -> None:
        """Looks up the users who may have changed and tells watchers what differs from what they were told last."""
        await self._update_subscription()
        if self._now_s() >= self._check_all_at_s:
            self._check_all_at_s = self._now_s() + CHECK_ALL_EVERY_S
            self._due.update(self._table.user_ids())
        due, self._due = [user_id for user_id in self._due if self._table.user(user_id) is not None], set()
        if not due:
            return
        try:
            online = await self._presence.online(due)
        except StoreUnavailable:
            self._due.update(due)
            return
        catching_up = self._table.take_catching_up()
        missed = [
            change for session, snapshot in catching_up.items() for change in self._missed(session, snapshot, online)
        ]
        for change in missed:
            # Before it is sent: a client that is lost meanwhile may have received it or not.
            self._table.mark_caught_up(change.watchers[0].session)
        found = (self._change(user_id, user_id in online) for user_id in due)
        changes = [change for change in found if change is not None]
        if (missed or changes) and not await self._notify([*missed, *changes]):
            self._due.update(due)
            self._table.put_back(catching_up)
            return
        for change in changes:
            if (user := self._table.user(change.user_id)) is not None:
                user.is_online, user.told_at_s = change.is_online, self._now_s()

    async def _update_subscription(self) -> None:
        """Subscribes the channel while any session watches."""
        if not self._subscribed and not self._table.is_empty:
            self._subscribed = True
            await self._backplane.subscribe(CHANNEL)
        elif self._subscribed and self._table.is_empty:
            self._subscribed = False
            await self._backplane.unsubscribe(CHANNEL)

    def _missed(self, session: Session, snapshot: WatchSnapshot, online: Collection[int]) -> list[PresenceChange]:
        """What the other watchers were told last and the client of this session, which was away, does not know."""
        missed = []
        for user_id, known in snapshot.known.items():
            user = self._table.user(user_id)
            if user is None or session not in user.watchers:
                continue
            if user.is_online is None:
                user.is_online = user_id in online
            if known is not user.is_online:
                missed.append(PresenceChange(user_id, user.is_online, [Watcher(session, snapshot.watcher_id)]))
        return missed

    def _change(self, user_id: int, is_online: bool) -> PresenceChange | None:
        user = self._table.user(user_id)
        if user is None or user.is_online is None:
            return None
        if user.is_online is is_online:
            user.missing_since_s = None
            return None
        if not is_online:
            if user.missing_since_s is None:
                user.missing_since_s = self._now_s()
            if self._now_s() - user.missing_since_s < OFFLINE_AFTER_S:
                self._due.add(user_id)
                return None
        user.missing_since_s = None
        return PresenceChange(user_id, is_online, [Watcher(*watcher) for watcher in user.watchers.items()])

    async def _run(self) -> None:
        defects = OutageLog(log, "presence_not_checked", known=())
        while True:
            await asyncio.sleep(PUBLISH_EVERY_S)
            try:
                await self.check()
                defects.succeeded()
            except Exception as error:
                defects.failed(error)
