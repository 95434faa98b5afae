"""Who on this node watches whose presence, and what they were told of it last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from realtime.background import end_task
from realtime.backplane import Backplane
from realtime.engine.hub import Member
from realtime.errors import TOO_LARGE, CommandError
from realtime.presence import CHANNEL, TELL_EVERY_S, unpack_ids
from realtime.redis_client import StoreUnavailable

MAX_WATCHED = 1_000
"""By one session."""
LOOK_EVERY_S = 10.0
"""How often all that is watched is looked up: nobody says so when a node dies, or when a message is lost."""
BELIEVED_GONE_AFTER_S = 5.0
"""A registry that was flushed is whole again sooner: who is missing for a moment has not gone."""

log = structlog.get_logger(__name__)


class Online(Protocol):
    async def online(self, user_ids: Sequence[int]) -> set[int]: ...


class Watcher(NamedTuple):
    member: Member
    user_id: int


class PresenceChange(NamedTuple):
    """Somebody has come or gone, and who is to be told."""

    user_id: int
    is_online: bool
    watchers: Sequence[Watcher]


TellWatchers = Callable[[Sequence[PresenceChange]], Awaitable[bool]]
"""False when nobody could be told now: it is tried again a second later, with what is true then."""


@dataclass(slots=True)
class _Watched:
    """`is_online` is what all watchers were told; None until it was looked up for the first of them."""

    watchers: dict[Member, int] = field(default_factory=dict)
    is_online: bool | None = None
    missing_since_s: float | None = None


class PresenceWatches:
    """Watchers hear of a change at most once a second, and only of what differs from what they heard last.

    Messages between nodes say who may have changed, the registry says what is true: neither their order nor a lost one
    matters. The channel is heard only while anybody watches. `now_s` is a clock that never goes back.
    """

    def __init__(
        self,
        presence: Online,
        backplane: Backplane,
        *,
        tell: TellWatchers,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._presence = presence
        self._backplane = backplane
        self._tell = tell
        self._now_s = now_s
        self._watched: dict[int, _Watched] = {}
        self._by_member: dict[Member, set[int]] = {}
        self._due: set[int] = set()
        self._look_at_all_at_s = now_s() + LOOK_EVERY_S
        self._subscribed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="presence-watches")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def watch(self, member: Member, watcher_id: int, user_ids: Collection[int]) -> set[int]:
        """Lets a session hear of these people from now on; returns those of them who are online.

        While Redis is away nobody is; the session hears of them when it is back. Raises CommandError `too_large` when
        the session would watch more than MAX_WATCHED people.
        """
        mine = self._by_member.get(member, set())
        if len(mine | set(user_ids)) > MAX_WATCHED:
            raise CommandError(TOO_LARGE, f"A socket watches at most {MAX_WATCHED} people.")
        if user_ids:
            self._by_member[member] = mine | set(user_ids)
        for user_id in user_ids:
            self._watched.setdefault(user_id, _Watched()).watchers[member] = watcher_id
        if self._watched and not self._subscribed:
            self._subscribed = True
            await self._backplane.subscribe(CHANNEL)
        try:
            online = await self._presence.online(list(user_ids))
        except StoreUnavailable:
            online = set()
            self._due.update(user_ids)
        found: set[int] = set()
        for user_id in user_ids:
            watched = self._watched.get(user_id)
            if watched is None:
                continue
            if watched.is_online is None:
                watched.is_online = user_id in online
            elif watched.is_online is not (user_id in online):
                self._due.add(user_id)
            # What the others were told: whatever differs from it is told to all together.
            if watched.is_online:
                found.add(user_id)
        return found

    def unwatch(self, member: Member, user_ids: Collection[int] | None = None) -> None:
        """The session hears of these people no more; None: of nobody."""
        mine = self._by_member.get(member)
        if mine is None:
            return
        for user_id in tuple(mine) if user_ids is None else mine.intersection(user_ids):
            mine.discard(user_id)
            watched = self._watched[user_id]
            del watched.watchers[member]
            if not watched.watchers:
                del self._watched[user_id]
        if not mine:
            del self._by_member[member]

    def watched_by(self, member: Member) -> frozenset[int]:
        """The people whom a session watches."""
        return frozenset(self._by_member.get(member, ()))

    def hear(self, body: bytes) -> None:
        """A message of the channel."""
        self._due.update(user_id for user_id in unpack_ids(body) if user_id in self._watched)

    def missed(self) -> None:
        """Messages of the channel may have been lost."""
        self._due.update(self._watched)

    async def level(self) -> None:
        """Tells watchers what differs from what they were told last."""
        if self._subscribed and not self._watched:
            self._subscribed = False
            await self._backplane.unsubscribe(CHANNEL)
        if self._now_s() >= self._look_at_all_at_s:
            self._look_at_all_at_s = self._now_s() + LOOK_EVERY_S
            self.missed()
        due, self._due = [user_id for user_id in self._due if user_id in self._watched], set()
        if not due:
            return
        try:
            online = await self._presence.online(due)
        except StoreUnavailable:
            self._due.update(due)
            return
        changes = [change for user_id in due if (change := self._change(user_id, user_id in online)) is not None]
        if changes and not await self._tell(changes):
            self._due.update(change.user_id for change in changes)
            return
        for change in changes:
            if (watched := self._watched.get(change.user_id)) is not None:
                watched.is_online = change.is_online

    def _change(self, user_id: int, is_online: bool) -> PresenceChange | None:
        watched = self._watched.get(user_id)
        if watched is None or watched.is_online is None:
            return None
        if watched.is_online is is_online:
            watched.missing_since_s = None
            return None
        if not is_online:
            if watched.missing_since_s is None:
                watched.missing_since_s = self._now_s()
            if self._now_s() - watched.missing_since_s < BELIEVED_GONE_AFTER_S:
                self._due.add(user_id)
                return None
        watched.missing_since_s = None
        return PresenceChange(user_id, is_online, [Watcher(*watcher) for watcher in watched.watchers.items()])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            try:
                await self.level()
            except Exception:
                log.exception("presence_not_levelled")
