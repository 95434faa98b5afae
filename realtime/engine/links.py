"""The open connections of an engine with everything that keeps them alive, and how they end."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from realtime.engine.frames import Outgoing
from realtime.engine.heartbeat import Heartbeat
from realtime.engine.hub import Hub
from realtime.engine.inbound import Inbound
from realtime.engine.options import EngineOptions
from realtime.engine.policy import SessionPolicy
from realtime.engine.polling import PollingTransport
from realtime.engine.session import Connection, Session, Transport
from realtime.errors import CLOSE_PROTOCOL_ERROR

_log = logging.getLogger(__name__)

_PING = Outgoing(b"2")
_LINGER_S = 10.0
"""How long a polling client whose connection has ended may still fetch what it was told last."""


@dataclass(slots=True, eq=False)
class Link:
    """A connection and what belongs to it inside the engine.

    `polling` is None for a connection that began as a WebSocket. `poll` is the request that waits for packets, `batch`
    the work on the last polling body.
    """

    connection: Connection
    inbound: Inbound
    heartbeat: Heartbeat
    polling: PollingTransport | None
    poll: web.Request | None = None
    posting: bool = False
    batch: asyncio.Task[None] | None = None
    upgrading: bool = False
    timer: asyncio.TimerHandle | None = None
    ended: bool = False


class Links:
    """Opens connections, finds them by Engine.IO sid, and forgets them when they have ended."""

    def __init__(self, *, policy: SessionPolicy, hub: Hub, options: EngineOptions) -> None:
        self._policy = policy
        self._hub = hub
        self._options = options
        self._namespaces = frozenset(options.namespaces)
        self._links: dict[str, Link] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, sid: str) -> Link | None:
        return self._links.get(sid)

    def all(self) -> tuple[Link, ...]:
        """A snapshot, with those that have ended and were not fetched to their end."""
        return tuple(self._links.values())

    def tasks(self) -> set[asyncio.Task[None]]:
        """A snapshot of the tasks that work on connections now, but for the caller's own."""
        return {task for task in self._tasks if task is not asyncio.current_task()}

    def open(
        self, *, peer_address: str, user_agent: str | None, transport: Transport, polling: PollingTransport | None
    ) -> Link:
        options = self._options
        connection = Connection(
            id=options.sid_prefix + secrets.token_urlsafe(15),
            peer_address=peer_address,
            user_agent=user_agent,
            transport=transport,
            on_session_end=self._session_ended,
            on_end=self._connection_ended,
        )
        heartbeat = Heartbeat(
            interval_ms=options.ping_interval_ms,
            timeout_ms=options.ping_timeout_ms,
            ask=lambda: connection.write(_PING),
            # While the policy works on its packet, the next ones, a pong among them, may stand unread.
            excused=lambda: connection.busy,
            on_silence=lambda: connection.lost("ping timeout"),
        )
        inbound = Inbound(
            connection,
            policy=self._policy,
            hub=self._hub,
            namespaces=self._namespaces,
            max_bytes=options.max_packet_bytes,
        )
        link = Link(connection, inbound, heartbeat, polling)
        self._links[connection.id] = link
        self._hub.add_connection(connection)
        heartbeat.start()
        self._expect_session(link)
        return link

    @contextmanager
    def working(self) -> Iterator[None]:
        """Counts the calling task among those that `tasks` tells."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def forget(self, link: Link) -> None:
        """Nothing of an ended connection is kept any more."""
        if link.timer is not None:
            link.timer.cancel()
            link.timer = None
        self._links.pop(link.connection.id, None)

    def _expect_session(self, link: Link) -> None:
        delay_s = self._options.connect_timeout_ms / 1000
        link.timer = asyncio.get_running_loop().call_later(delay_s, self._check_session, link)

    def _check_session(self, link: Link) -> None:
        link.timer = None
        if link.connection.busy:
            self._expect_session(link)
        elif not link.connection.sessions:
            link.connection.close(CLOSE_PROTOCOL_ERROR)

    def _session_ended(self, session: Session, reason: str) -> None:
        try:
            self._policy.disconnected(session, reason)
        except Exception:
            _log.exception("policy failed to forget session %s", session.id)
        finally:
            self._hub.remove_session(session)

    def _connection_ended(self, connection: Connection) -> None:
        link = self._links[connection.id]
        link.ended = True
        link.heartbeat.stop()
        self._hub.remove_connection(connection)
        if link.timer is not None:
            link.timer.cancel()
        if link.polling is None or link.polling.drained:
            self.forget(link)
        else:
            link.timer = asyncio.get_running_loop().call_later(_LINGER_S, self.forget, link)
