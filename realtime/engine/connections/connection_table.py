"""The open connections of an engine: their heartbeats, their time limits and their ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR
from realtime.engine.connections.connect_handler import ConnectHandler
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.connections.eager_tasks import EagerTasks, Work
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.options import EngineOptions
from realtime.engine.polling import PollingTransport
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.engine.session.transport import Transport
from realtime.engine.timing.delay_line import DelayLine
from realtime.engine.timing.heartbeat import Heartbeat
from realtime.engine.timing.turn_queue import TurnQueue

_LINGER_S = 10.0
"""How long a polling client whose connection has ended may still fetch its last packets."""


class ConnectionTable:
    """Opens connections, finds them by Engine.IO sid, and removes them when they have ended."""

    def __init__(
        self,
        *,
        sessions: SessionManager,
        options: EngineOptions,
        packet_handler: type[PacketHandler] = PacketHandler,
    ) -> None:
        self._sessions = sessions
        self._hub = sessions.hub
        self._options = options
        self._packet_handler = packet_handler
        self._connect_handler = ConnectHandler(sessions=sessions, namespaces=frozenset(options.namespaces))
        self._connections: dict[str, ConnectionEntry] = {}
        self._requests: set[asyncio.Task[None]] = set()
        self._heartbeat = Heartbeat(interval_ms=options.ping_interval_ms, timeout_ms=options.ping_timeout_ms)
        self._without_session: DelayLine[ConnectionEntry] = DelayLine(
            options.connect_timeout_ms / 1000, self._check_session
        )
        self._lingering: DelayLine[ConnectionEntry] = DelayLine(_LINGER_S, self.remove)
        self._deferred = TurnQueue()
        self._eager_tasks = EagerTasks()
        # Made once: every connection has them.
        self._on_end, self._defer = self._connection_ended, self._deferred.put

    def find(self, sid: str) -> ConnectionEntry | None:
        return self._connections.get(sid)

    def all(self) -> tuple[ConnectionEntry, ...]:
        """A snapshot, with those that have ended and have packets that their client has not fetched."""
        return tuple(self._connections.values())

    def tasks(self) -> set[asyncio.Task[None]]:
        """A snapshot of the tasks that work on connections now, without the caller's own."""
        working = {
            entry.packet_handler.task for entry in self._connections.values() if entry.packet_handler.task is not None
        }
        return (working | self._requests) - {asyncio.current_task()}

    def open(
        self, *, peer_address: str, user_agent: str | None, transport: Transport, polling: PollingTransport | None
    ) -> ConnectionEntry:
        connection = self._sessions.open_connection(
            peer_address=peer_address,
            user_agent=user_agent,
            transport=transport,
            on_end=self._on_end,
            id_prefix=self._options.sid_prefix,
            codec=self._options.codec,
            defer=self._defer,
        )
        packet_handler = self._packet_handler(
            connection,
            policy=self._sessions.policy,
            connect_handler=self._connect_handler,
            max_bytes=self._options.max_packet_bytes,
            eager_tasks=self._eager_tasks,
        )
        entry = ConnectionEntry(connection, packet_handler, self._heartbeat, polling)
        self._connections[connection.id] = entry
        self._hub.add_connection(connection)
        self._heartbeat.restart(entry)
        self._without_session.put(entry)
        return entry

    def start_request(self, work: Work) -> asyncio.Task[None] | None:
        """Runs the coroutine of a request. None: it is done; else its task, one of `tasks` until its end."""
        task = self._eager_tasks.start(work, _finish)
        if task is not None:
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
        return task

    def add_request(self, task: asyncio.Task[None]) -> None:
        """Counts the task of an HTTP request among `tasks`, until `remove_request`."""
        self._requests.add(task)

    def remove_request(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)

    def remove(self, entry: ConnectionEntry) -> None:
        """Drops an ended connection with the packets that its client has not fetched."""
        self._lingering.discard(entry)
        self._connections.pop(entry.connection.id, None)

    def stop(self) -> None:
        """Keeps no task ready for packets any more."""
        self._eager_tasks.stop()

    async def wait_ended(self) -> None:
        """Returns when every connection that was closed before has ended."""
        await self._deferred.emptied()

    def _check_session(self, entry: ConnectionEntry) -> None:
        if entry.connection.busy:
            self._without_session.put(entry)
        elif not entry.connection.sessions:
            entry.connection.close(CLOSE_PROTOCOL_ERROR)

    def _connection_ended(self, connection: Connection[Session]) -> None:
        entry = self._connections[connection.id]
        self._heartbeat.remove(entry)
        self._without_session.discard(entry)
        self._hub.remove_connection(connection)
        if entry.upgrade is not None:
            entry.upgrade.cancel()
        if entry.polling is None or entry.polling.drained:
            self.remove(entry)
        else:
            self._lingering.put(entry)


async def _finish(started: Awaitable[None]) -> None:
    await started
