"""The handoff of all sessions of a stopping node to another, with the logs of what their clients missed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.replay.recovery_state import RecoveryState
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.presence.watch_table import WatchSnapshot
from realtime.presence.watches import PresenceWatches
from realtime.pubsub import room_names
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership

MAX_LOG_BYTES = 8 * 1024 * 1024
"""Of the newest pushes; clients that missed older ones resync. Far below what Redis buffers for one subscriber."""
PREPARED_PER_BATCH = 200
PREPARED_TIMEOUT_S = 30.0
"""A node that stops has gone by then, whether it has sent its logs or not."""


class SessionHandoff:
    """Both sides of a handoff: a stopping node offers and exports sessions, the target prepares and imports them."""

    def __init__(
        self,
        *,
        recoverable: RecoverableSessions,
        membership: Membership,
        fanout: Fanout,
        watches: PresenceWatches,
        prepared_timeout_s: float = PREPARED_TIMEOUT_S,
    ) -> None:
        self._prepared_timeout_s = prepared_timeout_s
        self._watches = watches
        self._recoverable = recoverable
        self._membership = membership
        self._fanout = fanout
        self._prepared: dict[str, dict[str, Session]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def stop(self) -> None:
        """Discards the sessions that were prepared for nodes that have not exported them."""
        for sender in tuple(self._prepared):
            self._discard_prepared(sender)

    def transferable_sessions(self) -> list[Session]:
        """All sessions whose clients know that they may resume them."""
        return [
            session
            for session in self._recoverable.sessions()
            if session.recovery_state is not None and session.recovery_state.client_knows_pid
        ]

    def rooms(self, session: Session) -> list[str]:
        """A session's rooms without those of its topics."""
        of_topics = {room_names.topic_room(topic, user_id) for topic, user_id in self._membership.topics(session)}
        return [room for room in session.rooms if room not in of_topics]

    def subscriptions(self, session: Session) -> list[Any]:
        """The rooms, topics and presence watches of a session; see `restore_subscriptions`."""
        snapshot = self._watches.snapshot(session)
        watched = None if snapshot is None else [snapshot.watcher_id, list(snapshot.known.items())]
        return [self.rooms(session), list(self._membership.topics(session)), watched]

    async def restore_subscriptions(self, session: Session, subscriptions: Sequence[Any]) -> bool:
        """Gives a session the subscriptions that it had on another node; False: not all of them are confirmed."""
        rooms, topics, watched = subscriptions
        if watched is not None:
            watcher_id, known = watched
            self._watches.suspend(session, WatchSnapshot(watcher_id, dict(known)))
        confirmed = await self._membership.join(session, *rooms)
        for topic, user_id in topics:
            confirmed = await self._membership.subscribe(session, topic, user_id) and confirmed
        # What was withdrawn before the session entered its rooms here did not take it out of them.
        self._fanout.restricted_rooms.leave_withdrawn(session)
        return confirmed

    def offer(self, sessions: Sequence[Session]) -> list[Any]:
        """What the target needs to `prepare` these sessions."""
        return [
            [session.recovery_state.pid, session.id, session.namespace, session.user_id, self.subscriptions(session)]
            for session in sessions
            if session.recovery_state is not None
        ]

    async def prepare(self, sender: str, offer: Sequence[Sequence[Any]]) -> object:
        """Subscribes the sessions of a stopping node here; True when all subscriptions are confirmed."""
        prepared: dict[str, Session] = {}
        connection: Connection[Session] = Connection.closed()
        confirmed = True
        for start in range(0, len(offer), PREPARED_PER_BATCH):
            restoring = []
            for pid, sid, namespace, user_id, subscriptions in offer[start : start + PREPARED_PER_BATCH]:
                session = Session.moved(
                    id=sid,
                    namespace=namespace,
                    user_id=user_id,
                    connection=connection,
                    recovery_state=RecoveryState(pid, namespace, self._recoverable.logs),
                )
                self._membership.add_session(session)
                prepared[pid] = session
                restoring.append(self.restore_subscriptions(session, subscriptions))
            confirmed = all(await asyncio.gather(*restoring)) and confirmed
        if not confirmed:
            self.discard(*prepared.values())
            return False
        self._prepared[sender] = prepared
        timer = asyncio.get_running_loop().call_later(self._prepared_timeout_s, self._discard_prepared, sender)
        self._timers[sender] = timer
        return True

    def export_sessions(self, sessions: Sequence[Session]) -> tuple[list[Any], list[Any], list[Any]]:
        """The logs that tell what these sessions missed, own ones and copies of other nodes', the recovery states, and
        what is withdrawn: the target may have started since.

        Sessions that have moved to another node since the offer are left out.
        """
        numbers: dict[ReplayLogs, int] = {}
        recovery_states = []
        remaining_bytes = MAX_LOG_BYTES
        for session in sessions:
            if session.recovery_state is None or not self._recoverable.contains(session):
                continue
            self._fanout.send_pending_resync(session)
            exported = session.recovery_state.export(lambda logs: numbers.setdefault(logs, len(numbers)))
            remaining_bytes -= session.recovery_state.carried_bytes
            if remaining_bytes >= 0:
                recovery_states.append([exported, self.rooms(session), self._recoverable.remaining_s(session)])
        all_logs = []
        for logs in numbers:
            exported_logs, size_bytes = logs.export(max(0, remaining_bytes))
            remaining_bytes -= size_bytes
            all_logs.append(exported_logs)
        return all_logs, recovery_states, self._recoverable.logs.withdrawals.export()

    def import_sessions(self, sender: str, exported_sessions: Sequence[Any]) -> object:
        """Keeps the prepared sessions from now on, each with what its client missed before."""
        prepared = self._prepared.pop(sender, {})
        if (timer := self._timers.pop(sender, None)) is not None:
            timer.cancel()
        try:
            all_logs, recovery_states, withdrawn = exported_sessions
            self._recoverable.logs.withdrawals.include(withdrawn)
            logs = [self._recoverable.logs.restore(exported) for exported in all_logs]
            for exported, rooms, remaining_s in recovery_states:
                session = prepared.get(exported["pid"])
                if session is not None and session.recovery_state is not None:
                    session.recovery_state.continue_from(RecoveryState.restore(session.namespace, logs, exported))
                    session.recovery_state.client_knows_pid = True
                    self._keep(session, rooms, remaining_s)
                    del prepared[exported["pid"]]
        finally:
            # Also those whose export cannot be read: it may be of another version.
            self.discard(*prepared.values())
        return True

    def _keep(self, session: Session, rooms: Sequence[str], remaining_s: float | None) -> None:
        self._recoverable.keep(session, remaining_s)
        for room in rooms:
            if room not in session.rooms:
                # The session entered it after the offer.
                self._membership.run_later(partial(self._fanout.join_with_resync, session, room))

    def _discard_prepared(self, sender: str) -> None:
        self._timers.pop(sender).cancel()
        self.discard(*self._prepared.pop(sender).values())

    def discard(self, *sessions: Session) -> None:
        """Ends sessions that have subscriptions here and are not kept."""
        for session in sessions:
            if session.recovery_state is not None:
                session.recovery_state.end()
            self._watches.unwatch(session)
            self._membership.remove_session(session)
