"""The open connections of an engine with everything that keeps them alive, and how they end."""

from __future__ import annotations

import asyncio
import secrets

from realtime.engine.delay_line import DelayLine
from realtime.engine.entrance import Entrance
from realtime.engine.first_step import FirstSteps
from realtime.engine.heartbeat import Heartbeat
from realtime.engine.hub import Hub
from realtime.engine.inbound import Inbound
from realtime.engine.link import Link
from realtime.engine.options import EngineOptions
from realtime.engine.policy import SessionPolicy
from realtime.engine.polling import PollingTransport
from realtime.engine.recovery import Recovery
from realtime.engine.session import Connection, Session
from realtime.engine.sessions import end_session
from realtime.engine.transport import Transport
from realtime.engine.turn_queue import TurnQueue
from realtime.errors import CLOSE_PROTOCOL_ERROR

_LINGER_S = 10.0
"""How long a polling client whose connection has ended may still fetch what it was told last."""


class Links:
    """Opens connections, finds them by Engine.IO sid, and forgets them when they have ended."""

    def __init__(
        self,
        *,
        policy: SessionPolicy,
        hub: Hub,
        options: EngineOptions,
        recovery: Recovery | None = None,
        inbound: type[Inbound] = Inbound,
    ) -> None:
        self._policy = policy
        self._hub = hub
        self._options = options
        self._inbound = inbound
        self._recovery = recovery
        self._entrance = Entrance(policy=policy, hub=hub, namespaces=frozenset(options.namespaces), recovery=recovery)
        self._links: dict[str, Link] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._heartbeat = Heartbeat(interval_ms=options.ping_interval_ms, timeout_ms=options.ping_timeout_ms)
        self._without_session: DelayLine[Link] = DelayLine(options.connect_timeout_ms / 1000, self._check_session)
        self._lingering: DelayLine[Link] = DelayLine(_LINGER_S, self.forget)
        self._endings = TurnQueue()
        self._first_steps = FirstSteps()
        # Made once: every connection has them.
        self._on_session_end, self._on_end, self._later = (
            self._session_ended,
            self._connection_ended,
            self._endings.put,
        )

    def find(self, sid: str) -> Link | None:
        return self._links.get(sid)

    def all(self) -> tuple[Link, ...]:
        """A snapshot, with those that have ended and were not fetched to their end."""
        return tuple(self._links.values())

    def tasks(self) -> set[asyncio.Task[None]]:
        """A snapshot of the tasks that work on connections now, but for the caller's own."""
        working = {link.inbound.task for link in self._links.values() if link.inbound.task is not None}
        return (working | self._requests) - {asyncio.current_task()}

    def open(
        self, *, peer_address: str, user_agent: str | None, transport: Transport, polling: PollingTransport | None
    ) -> Link:
        connection = Connection(
            id=self._options.sid_prefix + secrets.token_urlsafe(15),
            peer_address=peer_address,
            user_agent=user_agent,
            transport=transport,
            on_session_end=self._on_session_end,
            on_end=self._on_end,
            later=self._later,
            codec=self._options.codec,
        )
        inbound = self._inbound(
            connection,
            policy=self._policy,
            entrance=self._entrance,
            max_bytes=self._options.max_packet_bytes,
            first_steps=self._first_steps,
        )
        link = Link(connection, inbound, self._heartbeat, polling)
        self._links[connection.id] = link
        self._hub.add_connection(connection)
        self._heartbeat.hear(link)
        self._without_session.put(link)
        return link

    def answering(self, task: asyncio.Task[None]) -> None:
        """Counts a task among those that `tasks` tells, until it has `answered`."""
        self._requests.add(task)

    def answered(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)

    def forget(self, link: Link) -> None:
        """Nothing of an ended connection is kept any more."""
        self._lingering.discard(link)
        self._links.pop(link.connection.id, None)

    def stop(self) -> None:
        """Nothing stands ready for packets any more."""
        self._first_steps.stop()

    async def settled(self) -> None:
        """Returns when every connection that was to end by now has ended."""
        await self._endings.emptied()

    def _check_session(self, link: Link) -> None:
        if link.connection.busy:
            self._without_session.put(link)
        elif not link.connection.sessions:
            link.connection.close(CLOSE_PROTOCOL_ERROR)

    def _session_ended(self, session: Session, reason: str) -> None:
        end_session(session, reason, policy=self._policy, hub=self._hub, recovery=self._recovery)

    def _connection_ended(self, connection: Connection) -> None:
        link = self._links[connection.id]
        link.ended = True
        self._heartbeat.forget(link)
        self._without_session.discard(link)
        self._hub.remove_connection(connection)
        if link.probe is not None:
            link.probe.give_up()
        if link.polling is None or link.polling.drained:
            self.forget(link)
        else:
            self._lingering.put(link)
