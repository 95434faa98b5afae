"""Serves an engine on a port as the product does: inside aiohttp, with rare full garbage collections."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from loadtest.server_process import serve_until_signal
from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.acceptor import EngineAcceptor
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.drain_state import DrainState
from realtime.engine.http.listening_socket import listen
from realtime.engine.hub import Hub
from realtime.engine.options import EngineOptions
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.server import SocketEngine
from realtime.engine.session.policy import SessionPolicy
from realtime.process.garbage_collection import spare_full_collections

PING_INTERVAL_MS: Final = 600_000
"""Longer than any measurement, in all compared servers, so that heartbeats do not disturb the measurement."""
BACKLOG: Final = 1_024
_DEADLINE_S = 2.0


async def host(
    policy: SessionPolicy,
    hub: Hub,
    port: int,
    namespaces: tuple[str, ...],
    recovery: Recovery | None = None,
    **details: object,
) -> None:
    """Serves clients until SIGTERM; `details` are printed for them when the server is ready."""
    spare_full_collections()
    options = EngineOptions(ping_interval_ms=PING_INTERVAL_MS, namespaces=namespaces)
    sessions = SessionManager(policy=policy, hub=hub, recovery=recovery)
    engine = SocketEngine(sessions=sessions, options=options, drain_state=DrainState())
    app = web.Application()
    engine.attach(app)
    runner = web.AppRunner(app, access_log=None, tcp_keepalive=False)
    await runner.setup()
    await EngineAcceptor(runner, listen("127.0.0.1", port, backlog=BACKLOG), [engine], backlog=BACKLOG).start()
    await serve_until_signal(**details)
    await engine.close(CLOSE_DRAINING, deadline_s=_DEADLINE_S)
    await runner.cleanup()
