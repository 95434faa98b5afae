"""Tells clients where they may have missed something, so that nobody is left in the dark after an outage."""

from __future__ import annotations

import asyncio
from itertools import islice

import orjson

from realtime.engine.hub import Hub
from realtime.engine.session.session import Session
from realtime.pubsub import rooms
from realtime.pubsub.membership import Membership

RESYNC_EVENT = "resync"
GATHER_S = 0.05
"""ResyncNotifier of one outage are gathered for this long: a client hears one `resync` for all, not one per room."""
TOLD_TOGETHER = 100
TELL_EVERY_S = 0.1
"""So many hear of it at a time: whoever hears reads again, and after an outage everybody does."""


class ResyncNotifier:
    """Collects what sessions missed and sends each of them one `resync`: of a scope, or of `all` where several.

    At most a thousand a second are told; who waits still hears what is pushed.
    """

    def __init__(self, hub: Hub, membership: Membership, namespaces: tuple[str, ...]) -> None:
        self._hub = hub
        self._membership = membership
        self._namespaces = namespaces
        self._missed: dict[Session, set[str]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def room_missed(self, room: str) -> None:
        """The room's channel was interrupted: its members here may have missed pushes."""
        for namespace in self._namespaces:
            for member in self._hub.members(namespace, room):
                self.missed(member, rooms.resync_scope(room))

    def topic_missed(self, topic: str | None) -> None:
        """This node was not reachable for the senders of a topic; None stands for every topic."""
        for member, name in self._membership.listening(topic):
            self.missed(member, name)

    def missed(self, member: Session, scope: str) -> None:
        """This one session may have missed pushes of this scope."""
        self._missed.setdefault(member, set()).add(scope)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        for member in list(islice(self._missed, TOLD_TOGETHER)):
            scopes = self._missed.pop(member)
            if member in self._membership:
                scope = scopes.pop() if len(scopes) == 1 else rooms.RESYNC_ALL
                member.push_replayable(RESYNC_EVENT, orjson.dumps({"scope": scope}))
        if self._missed:
            self._timer = asyncio.get_running_loop().call_later(TELL_EVERY_S, self._tell)
