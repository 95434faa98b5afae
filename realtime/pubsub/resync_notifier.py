"""Tells clients to read again what they may have missed."""

from __future__ import annotations

import asyncio
from itertools import islice

from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.wire import encode_model
from realtime.engine.hub import Hub
from realtime.engine.session.session import Session
from realtime.pubsub import room_names
from realtime.pubsub.membership import Membership

GATHER_S = 0.05
"""The losses of one outage are gathered for this long: a client gets one `resync` for all of them, not one per room."""
SESSIONS_PER_BATCH = 100
BATCH_EVERY_S = 0.1
"""Each client that gets a `resync` reads again, and after an outage all clients do: batches spread their reads."""


class ResyncNotifier:
    """Collects the scopes that each session missed and sends it one `resync`: of the scope, or of `all` if several.

    At most a thousand sessions a second are told. Those that wait receive pushes meanwhile.
    """

    def __init__(self, hub: Hub, membership: Membership, namespaces: tuple[str, ...]) -> None:
        self._hub = hub
        self._membership = membership
        self._namespaces = namespaces
        self._scopes: dict[Session, set[str]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def resync_room(self, room: str) -> None:
        """Tells the room's members on this node, which may have missed pushes of its channel."""
        for namespace in self._namespaces:
            for session in self._hub.members(namespace, room):
                self.resync(session, room_names.resync_scope(room))

    def resync_topic(self, topic: str | None) -> None:
        """Sends `resync` to this node's subscribers of a topic (None: of any), whom publishers may not have reached."""
        for session, name in self._membership.subscribers(topic):
            self.resync(session, name)

    def resync(self, session: Session, scope: str) -> None:
        """Tells one session, which may have missed pushes of this scope."""
        self._scopes.setdefault(session, set()).add(scope)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._send_batch)

    def send_now(self, session: Session) -> None:
        """Tells a session what waits for it: before it moves to another node, to which this does not go with it."""
        scopes = self._scopes.pop(session, None)
        if scopes and session in self._membership:
            scope = scopes.pop() if len(scopes) == 1 else room_names.RESYNC_ALL
            session.push_replayable(RESYNC.name, encode_model(Resync(scope=scope)))

    def _send_batch(self) -> None:
        self._timer = None
        for session in list(islice(self._scopes, SESSIONS_PER_BATCH)):
            self.send_now(session)
        if self._scopes:
            self._timer = asyncio.get_running_loop().call_later(BATCH_EVERY_S, self._send_batch)
