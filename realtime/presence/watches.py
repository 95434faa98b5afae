"""Who on this node watches whose presence, and what they were told of it last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from realtime.contract.errors import TOO_LARGE, CommandError
from realtime.engine.session.session import Session
from realtime.presence.tracker import CHANNEL, TELL_EVERY_S, unpack_ids
from realtime.process.background_tasks import end_task
from realtime.pubsub.backplane import Backplane
from realtime.redis.client import StoreUnavailable

MAX_WATCHED = 1_000
"""By one session."""
LOOK_EVERY_S = 10.0
"""How often all that is watched is looked up: nobody says so when a node dies, or when a message is lost."""
BELIEVED_GONE_AFTER_S = 5.0
"""A registry that was flushed is whole again sooner: who is missing for a moment has not gone."""

UNNOTICED_S = 45.0
"""How long a lost client may stay unnoticed: what it was told within this time before, it may not have heard."""

log = structlog.get_logger(__name__)


class Online(Protocol):
    async def online(self, user_ids: Sequence[int]) -> set[int]: ...


class Watcher(NamedTuple):
    member: Session
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
    """`is_online` is what all watchers were told, at `told_at_s`; None until it was looked up for the first of them."""

    watchers: dict[Session, int] = field(default_factory=dict)
    is_online: bool | None = None
    told_at_s: float = float("-inf")
    missing_since_s: float | None = None


class Left(NamedTuple):
    """Whom a session watched when its client was lost, and what the client knew of each; None where that is unsure."""

    watcher_id: int
    known: dict[int, bool | None]


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
        unnoticed_s: float = UNNOTICED_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unnoticed_s = unnoticed_s
        self._presence = presence
        self._backplane = backplane
        self._tell = tell
        self._now_s = now_s
        self._watched: dict[int, _Watched] = {}
        self._by_member: dict[Session, set[int]] = {}
        self._left: dict[Session, Left] = {}
        self._back: dict[Session, Left] = {}
        self._told_apart_s: dict[Session, float] = {}
        self._due: set[int] = set()
        self._look_at_all_at_s = now_s() + LOOK_EVERY_S
        self._subscribed = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="presence-watches")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def watch(self, member: Session, watcher_id: int, user_ids: Collection[int]) -> set[int]:
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
        await self._listen()
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

    def unwatch(self, member: Session, user_ids: Collection[int] | None = None) -> None:
        """The session hears of these people no more; None: of nobody, also when its client comes back."""
        if user_ids is None:
            self._left.pop(member, None)
            self._back.pop(member, None)
            self._told_apart_s.pop(member, None)
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

    def watched_by(self, member: Session) -> frozenset[int]:
        """The people whom a session watches."""
        return frozenset(self._by_member.get(member, ()))

    def left_by(self, member: Session) -> Left | None:
        """What a client knows that is away, or may be lost at any time; None for one that watches nobody."""
        if member in self._left:
            return self._left[member]
        mine = self._by_member.get(member)
        if not mine:
            return None
        sure_until_s = self._now_s() - self._unnoticed_s
        sure = self._told_apart_s.get(member, sure_until_s) <= sure_until_s
        known: dict[int, bool | None] = {}
        for user_id in mine:
            watched = self._watched[user_id]
            watcher_id = watched.watchers[member]
            known[user_id] = watched.is_online if sure and watched.told_at_s <= sure_until_s else None
        if (back := self._back.get(member)) is not None:  # nothing was told since
            known.update((user_id, back.known[user_id]) for user_id in mine.intersection(back.known))
        return Left(watcher_id, known)

    def leave(self, member: Session, left: Left | None = None) -> None:
        """The client is away: nothing is told to it until `come_back`. `left` is what another node kept of it."""
        left = left or self.left_by(member)
        self.unwatch(member)
        if left is not None:
            self._left[member] = left

    def come_back(self, member: Session) -> None:
        """The session watches again whom it watched, and is told soon what its client does not know of them."""
        left = self._left.pop(member, None)
        if left is None:
            return
        self._back[member] = left
        self._by_member[member] = set(left.known)
        for user_id, known in left.known.items():
            watched = self._watched.setdefault(user_id, _Watched(is_online=known))
            watched.watchers[member] = left.watcher_id
        # What is true by now is told to all who watch, as ever.
        self._due.update(left.known)

    def hear(self, body: bytes) -> None:
        """A message of the channel."""
        self._due.update(user_id for user_id in unpack_ids(body) if user_id in self._watched)

    def missed(self) -> None:
        """Messages of the channel may have been lost."""
        self._due.update(self._watched)

    async def level(self) -> None:
        """Tells watchers what differs from what they were told last."""
        await self._listen()
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
        back, self._back = self._back, {}
        catching_up = [change for member, left in back.items() for change in self._unknown(member, left, online)]
        for told in catching_up:
            # Before it is told: a client that is lost meanwhile may have heard it or not.
            self._told_apart_s[told.watchers[0].member] = self._now_s()
        changes = [change for user_id in due if (change := self._change(user_id, user_id in online)) is not None]
        if (catching_up or changes) and not await self._tell([*catching_up, *changes]):
            self._due.update(due)
            self._back = back | self._back
            return
        for change in changes:
            if (watched := self._watched.get(change.user_id)) is not None:
                watched.is_online, watched.told_at_s = change.is_online, self._now_s()

    async def _listen(self) -> None:
        """Hears the channel while anybody watches."""
        if self._watched and not self._subscribed:
            self._subscribed = True
            await self._backplane.subscribe(CHANNEL)
        elif self._subscribed and not self._watched:
            self._subscribed = False
            await self._backplane.unsubscribe(CHANNEL)

    def _unknown(self, member: Session, left: Left, online: Collection[int]) -> list[PresenceChange]:
        """What all watchers of these people were told last, where a client that was away does not know it."""
        unknown = []
        for user_id, known in left.known.items():
            watched = self._watched.get(user_id)
            if watched is None or member not in watched.watchers:
                continue
            if watched.is_online is None:
                watched.is_online = user_id in online
            if known is not watched.is_online:
                unknown.append(PresenceChange(user_id, watched.is_online, [Watcher(member, left.watcher_id)]))
        return unknown

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
