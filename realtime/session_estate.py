"""What a node that stops leaves to another: its sessions, and the logs that tell what they missed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from realtime import rooms as names
from realtime.engine.nobody import connection_to_nobody
from realtime.engine.push_frames import PushFrames
from realtime.engine.recovery import Recovery
from realtime.engine.session import Session
from realtime.engine.trail import Trail
from realtime.fanout import Fanout
from realtime.membership import Membership
from realtime.replay_log import LogEntry, ReplayLogs

MAX_LOG_BYTES = 8 * 1024 * 1024
"""Of the newest pushes; who has missed older ones re-syncs. Far below what the broker holds for one reader."""
SETTLED_TOGETHER = 200

log = structlog.get_logger(__name__)


class SessionEstate:
    """Both sides of a hand-over: `offer` and `bequest` are made by the node that stops, and taken by its heir."""

    def __init__(self, *, recovery: Recovery, membership: Membership, fanout: Fanout) -> None:
        self._recovery = recovery
        self._membership = membership
        self._fanout = fanout
        self._prepared: dict[str, dict[str, Session]] = {}

    def to_hand_over(self) -> list[Session]:
        """All sessions whose clients know that they may come back, but for those that were inherited and never were."""
        return [
            session
            for session in self._recovery.sessions()
            if session.trail is not None and session.trail.answered and not isinstance(session.trail.past, Trail)
        ]

    def places(self, session: Session) -> tuple[list[str], list[tuple[str, int]]]:
        """A session's rooms, and the topics that it hears."""
        topics = list(self._membership.topics(session))
        heard = {names.topic_room(topic, user_id) for topic, user_id in topics}
        return [room for room in session.rooms if room not in heard], topics

    async def settle(self, session: Session, rooms: Sequence[str], topics: Sequence[tuple[str, int]]) -> bool:
        """Puts a session into its places; False: not all of them are confirmed."""
        confirmed = await self._membership.enter(session, *rooms)
        for topic, user_id in topics:
            confirmed = await self._membership.listen(session, topic, user_id) and confirmed
        return confirmed

    def offer(self, sessions: Sequence[Session]) -> list[Any]:
        return [
            [session.trail.pid, session.id, session.namespace, session.state, *self.places(session)]
            for session in sessions
            if session.trail is not None
        ]

    async def prepare(self, sender: str, offer: Sequence[Sequence[Any]]) -> object:
        """Takes the sessions of a node that stops into their rooms; True when all of them hear everything."""
        prepared: dict[str, Session] = {}
        nobody = connection_to_nobody()
        confirmed = True
        for start in range(0, len(offer), SETTLED_TOGETHER):
            settling = []
            for pid, sid, namespace, state, rooms, topics in offer[start : start + SETTLED_TOGETHER]:
                session = Session(id=sid, namespace=namespace, connection=nobody)
                session.state = state
                session.shut()
                session.trail = Trail(pid, namespace, self._recovery.logs)
                self._membership.admit(session)
                prepared[pid] = session
                settling.append(self.settle(session, rooms, topics))
            confirmed = all(await asyncio.gather(*settling)) and confirmed
        if not confirmed:
            self._drop(prepared.values())
            return False
        self._prepared[sender] = prepared
        return True

    def bequest(self, sessions: Sequence[Session]) -> list[Any]:
        logs = self._recovery.logs
        kept: list[LogEntry] = []
        size_bytes = 0
        evicted = logs.evicted
        for entry in reversed(logs.entries()):
            size_bytes += entry.size_bytes
            if size_bytes > MAX_LOG_BYTES:
                evicted = entry.number
                break
            kept.append(entry)
        entries = [
            [entry.number, entry.key, entry.people, *_write(entry.push), entry.push.namespace if entry.push else ""]
            for entry in reversed(kept)
        ]
        return [
            evicted,
            logs.last,
            entries,
            [[session.trail.export(), self.places(session)[0]] for session in sessions if session.trail is not None],
        ]

    def inherit(self, sender: str, bequest: Sequence[Any]) -> object:
        """Keeps the prepared sessions from now on, each with what it missed before."""
        prepared = self._prepared.pop(sender, {})
        evicted, last, entries, trails = bequest
        logs = self._recovery.logs.empty_like()
        logs.restore(
            [
                (number, key, None if data is None else PushFrames(namespace, event, data, push_id), people)
                for number, key, people, event, data, push_id, namespace in entries
            ],
            evicted=evicted,
            last=last,
        )
        for exported, rooms in trails:
            session = prepared.pop(exported["pid"], None)
            if session is not None and session.trail is not None:
                self._keep(session, session.trail, exported, rooms, logs)
        self._drop(prepared.values())
        return True

    def _keep(
        self, session: Session, trail: Trail, exported: Mapping[str, Any], rooms: Sequence[str], logs: ReplayLogs
    ) -> None:
        trail.came_with(Trail.restore(session.namespace, logs, exported))
        trail.answered = True
        self._recovery.keep(session)
        for room in rooms:
            if room not in session.rooms:
                # It came to be after the offer.
                self._membership.later(partial(self._fanout.bring_in, session, room))

    def _drop(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            if session.trail is not None:
                session.trail.end()
            self._membership.release(session)


def _write(push: PushFrames | None) -> list[Any]:
    return [None, None, None] if push is None else [push.event, push.data, push.push_id]
