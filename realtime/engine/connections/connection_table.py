"""The open connections of an engine with everything that keeps them alive, and how they end."""

from __future__ import annotations

import asyncio
import secrets

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR
from realtime.engine.connections.connect_handler import ConnectHandler
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.connections.eager_tasks import EagerTasks
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.connections.session_lifecycle import end_session
from realtime.engine.hub import Hub
from realtime.engine.options import EngineOptions
from realtime.engine.polling import PollingTransport
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.session.policy import SessionPolicy
from realtime.engine.session.session import Connection, Session
from realtime.engine.session.transport import Transport
from realtime.engine.timing.delay_line import DelayLine
from realtime.engine.timing.heartbeat import Heartbeat
from realtime.engine.timing.turn_queue import TurnQueue

_LINGER_S = 10.0
"""How long a polling client whose connection has ended may still fetch what it was told last."""


class ConnectionTable:
    """Opens connections, finds them by Engine.IO sid, and forgets them when they have ended."""

    def __init__(
        self,
        *,
        policy: SessionPolicy,
        hub: Hub,
        options: EngineOptions,
        recovery: Recovery | None = None,
        packet_handler: type[PacketHandler] = PacketHandler,
    ) -> None:
        self._policy = policy
        self._hub = hub
        self._options = options
        self._packet_handler = packet_handler
        self._recovery = recovery
        self._connect_handler = ConnectHandler(
            policy=policy, hub=hub, namespaces=frozenset(options.namespaces), recovery=recovery
        )
        self._connections: dict[str, ConnectionEntry] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._heartbeat = Heartbeat(interval_ms=options.ping_interval_ms, timeout_ms=options.ping_timeout_ms)
        self._without_session: DelayLine[ConnectionEntry] = DelayLine(
            options.connect_timeout_ms / 1000, self._check_session
        )
        self._lingering: DelayLine[ConnectionEntry] = DelayLine(_LINGER_S, self.forget)
        self._endings = TurnQueue()
        self._eager_tasks = EagerTasks()
        # Made once: every connection has them.
        self._on_session_end, self._on_end, self._later = (
            self._session_ended,
            self._connection_ended,
            self._endings.put,
        )

    def find(self, sid: str) -> ConnectionEntry | None:
        return self._connections.get(sid)

    def all(self) -> tuple[ConnectionEntry, ...]:
        """A snapshot, with those that have ended and were not fetched to their end."""
        return tuple(self._connections.values())

    def tasks(self) -> set[asyncio.Task[None]]:
        """A snapshot of the tasks that work on connections now, but for the caller's own."""
        working = {
            entry.packet_handler.task for entry in self._connections.values() if entry.packet_handler.task is not None
        }
        return (working | self._requests) - {asyncio.current_task()}

    def open(
        self, *, peer_address: str, user_agent: str | None, transport: Transport, polling: PollingTransport | None
    ) -> ConnectionEntry:
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
        packet_handler = self._packet_handler(
            connection,
            policy=self._policy,
            connect_handler=self._connect_handler,
            max_bytes=self._options.max_packet_bytes,
            eager_tasks=self._eager_tasks,
        )
        entry = ConnectionEntry(connection, packet_handler, self._heartbeat, polling)
        self._connections[connection.id] = entry
        self._hub.add_connection(connection)
        self._heartbeat.hear(entry)
        self._without_session.put(entry)
        return entry

    def answering(self, task: asyncio.Task[None]) -> None:
        """Counts a task among those that `tasks` tells, until it has `answered`."""
        self._requests.add(task)

    def answered(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)

    def forget(self, entry: ConnectionEntry) -> None:
        """Nothing of an ended connection is kept any more."""
        self._lingering.discard(entry)
        self._connections.pop(entry.connection.id, None)

    def stop(self) -> None:
        """Nothing stands ready for packets any more."""
        self._eager_tasks.stop()

    async def settled(self) -> None:
        """Returns when every connection that was to end by now has ended."""
        await self._endings.emptied()

    def _check_session(self, entry: ConnectionEntry) -> None:
        if entry.connection.busy:
            self._without_session.put(entry)
        elif not entry.connection.sessions:
            entry.connection.close(CLOSE_PROTOCOL_ERROR)

    def _session_ended(self, session: Session, reason: str) -> None:
        end_session(session, reason, policy=self._policy, hub=self._hub, recovery=self._recovery)

    def _connection_ended(self, connection: Connection) -> None:
        entry = self._connections[connection.id]
        entry.ended = True
        self._heartbeat.forget(entry)
        self._without_session.discard(entry)
        self._hub.remove_connection(connection)
        if entry.probe is not None:
            entry.probe.give_up()
        if entry.polling is None or entry.polling.drained:
            self.forget(entry)
        else:
            self._lingering.put(entry)
