"""Runs Rookery: a server, a worker, or both in one process."""

import asyncio
from collections.abc import Callable

import uvloop

from realtime.process.garbage_collection import spare_full_collections
from server.cli_error import CliError
from server.commands.backing_services import dependencies, refuse_busy_port, report
from server.config import Settings


def run_process(settings: Settings, *, serve: bool, work: bool, on_ready: Callable[[int], None] | None = None) -> None:
    """Runs until SIGTERM or Ctrl-C, then drains and returns. `on_ready` gets the real port."""
    from server.composition.node import run

    spare_full_collections()
    with asyncio.Runner(debug=settings.debug, loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings, serve=serve, work=work, on_ready=on_ready))


def run_part(settings: Settings, *, serve: bool, work: bool) -> None:
    """Runs one part of an installation. Raises CliError while migrations are missing: `migrate` applies them."""
    from sql.migrate import pending

    if serve:
        refuse_busy_port(settings)
    with dependencies(settings) as reached:
        if missing := asyncio.run(pending(reached.database_url)):
            raise CliError(f"{len(missing)} migrations are missing in the database: run ./run migrate first")
        run_process(reached, serve=serve, work=work, on_ready=lambda port: report(_ready(settings, port, serve)))


def _ready(settings: Settings, port: int, serve: bool) -> str:
    return f"ready, listening on http://{settings.host}:{port}" if serve else "ready, working on Facts"
