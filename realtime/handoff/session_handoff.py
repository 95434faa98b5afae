"""What a node that stops leaves to another: its sessions, and the logs that tell what they missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog

from realtime.engine.recovery.recovery import Recovery
from realtime.engine.replay.recovery_state import RecoveryState
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.session.closed_connection import closed_connection
from realtime.engine.session.session import Session
from realtime.presence.watch_table import WatchSnapshot
from realtime.presence.watches import PresenceWatches
from realtime.pubsub import rooms as names
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership

MAX_LOG_BYTES = 8 * 1024 * 1024
"""Of the newest pushes; who has missed older ones re-syncs. Far below what the broker holds for one reader."""
SETTLED_TOGETHER = 200
GIVEN_UP_AFTER_S = 30.0
"""A node that stops has gone by then, whether it could say the rest or not."""

log = structlog.get_logger(__name__)


class SessionHandoff:
    """Both sides of a handoff: a stopping node offers and exports sessions, the target prepares and imports them."""

    def __init__(
        self,
        *,
        recovery: Recovery,
        membership: Membership,
        fanout: Fanout,
        watches: PresenceWatches,
        given_up_after_s: float = GIVEN_UP_AFTER_S,
    ) -> None:
        self._given_up_after_s = given_up_after_s
        self._watches = watches
        self._recovery = recovery
        self._membership = membership
        self._fanout = fanout
        self._prepared: dict[str, dict[str, Session]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def stop(self) -> None:
        """Gives up what was prepared for a node that never sent the rest."""
        for sender in tuple(self._prepared):
            self._give_up(sender)

    def to_hand_over(self) -> list[Session]:
        """All sessions whose clients know that they may come back."""
        return [
            session
            for session in self._recovery.sessions()
            if session.recovery_state is not None and session.recovery_state.answered
        ]

    def rooms(self, session: Session) -> list[str]:
        """A session's rooms, but for those of its topics."""
        heard = {names.topic_room(topic, user_id) for topic, user_id in self._membership.topics(session)}
        return [room for room in session.rooms if room not in heard]

    def places(self, session: Session) -> list[Any]:
        """Where else a session has to be so that its client hears the same; see `settle`."""
        snapshot = self._watches.snapshot(session)
        watched = None if snapshot is None else [snapshot.watcher_id, list(snapshot.known.items())]
        return [self.rooms(session), list(self._membership.topics(session)), watched]

    async def settle(self, session: Session, places: Sequence[Any]) -> bool:
        """Puts a session into the places that it had on another node; False: not all of them are confirmed."""
        rooms, topics, watched = places
        if watched is not None:
            watcher_id, known = watched
            self._watches.suspend(session, WatchSnapshot(watcher_id, dict(known)))
        confirmed = await self._membership.join(session, *rooms)
        for topic, user_id in topics:
            confirmed = await self._membership.subscribe(session, topic, user_id) and confirmed
        return confirmed

    def offer(self, sessions: Sequence[Session]) -> list[Any]:
        return [
            [session.recovery_state.pid, session.id, session.namespace, session.state, self.places(session)]
            for session in sessions
            if session.recovery_state is not None
        ]

    async def prepare(self, sender: str, offer: Sequence[Sequence[Any]]) -> object:
        """Takes the sessions of a node that stops into their rooms; True when all of them hear everything."""
        prepared: dict[str, Session] = {}
        nobody = closed_connection()
        confirmed = True
        for start in range(0, len(offer), SETTLED_TOGETHER):
            settling = []
            for pid, sid, namespace, state, places in offer[start : start + SETTLED_TOGETHER]:
                session = Session(id=sid, namespace=namespace, connection=nobody)
                session.state = state
                session.shut()
                session.recovery_state = RecoveryState(pid, namespace, self._recovery.logs)
                self._membership.add_session(session)
                prepared[pid] = session
                settling.append(self.settle(session, places))
            confirmed = all(await asyncio.gather(*settling)) and confirmed
        if not confirmed:
            self.drop(*prepared.values())
            return False
        self._prepared[sender] = prepared
        timer = asyncio.get_running_loop().call_later(self._given_up_after_s, self._give_up, sender)
        self._timers[sender] = timer
        return True

    def export_sessions(self, sessions: Sequence[Session]) -> tuple[list[Any], list[Any]]:
        """What these sessions missed: logs of this node and those that it got from others, and places in them.

        Sessions that this node has given away since the offer are not among them.
        """
        numbers: dict[ReplayLogs, int] = {}
        recovery_states = []
        left_bytes = MAX_LOG_BYTES
        for session in sessions:
            if session.recovery_state is None or self._recovery.find(session.recovery_state.pid) is not session:
                continue
            exported = session.recovery_state.export(lambda logs: numbers.setdefault(logs, len(numbers)))
            left_bytes -= session.recovery_state.carried_bytes
            if left_bytes >= 0:
                recovery_states.append([exported, self.rooms(session), self._recovery.left_s(session)])
        written = []
        for logs in numbers:
            log_entries, size_bytes = logs.export(max(0, left_bytes))
            left_bytes -= size_bytes
            written.append(log_entries)
        return written, recovery_states

    def import_sessions(self, sender: str, sent: Sequence[Any]) -> object:
        """Keeps the prepared sessions from now on, each with what it missed before."""
        prepared = self._prepared.pop(sender, {})
        if (timer := self._timers.pop(sender, None)) is not None:
            timer.cancel()
        written, recovery_states = sent
        logs = [self._recovery.logs.restore(exported) for exported in written]
        for exported, rooms, left_s in recovery_states:
            session = prepared.pop(exported["pid"], None)
            if session is not None and session.recovery_state is not None:
                self._keep(
                    session,
                    session.recovery_state,
                    RecoveryState.restore(session.namespace, logs, exported),
                    rooms,
                    left_s,
                )
        self.drop(*prepared.values())
        return True

    def _keep(
        self,
        session: Session,
        recovery_state: RecoveryState,
        before: RecoveryState,
        rooms: Sequence[str],
        left_s: float | None,
    ) -> None:
        recovery_state.came_with(before)
        recovery_state.answered = True
        self._recovery.keep(session, left_s)
        for room in rooms:
            if room not in session.rooms:
                # It came to be after the offer.
                self._membership.run_later(partial(self._fanout.join_with_resync, session, room))

    def _give_up(self, sender: str) -> None:
        self._timers.pop(sender).cancel()
        self.drop(*self._prepared.pop(sender).values())

    def drop(self, *sessions: Session) -> None:
        """Gives up sessions that were settled here and are not kept."""
        for session in sessions:
            if session.recovery_state is not None:
                session.recovery_state.end()
            self._watches.unwatch(session)
            self._membership.remove_session(session)
