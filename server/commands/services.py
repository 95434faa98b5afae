"""Runs only PostgreSQL and Valkey, for programs that are started by hand."""

import signal
from contextlib import suppress

from server.commands.backing_services import dependencies, report
from server.config import Settings


def services(settings: Settings) -> None:
    """Prints the addresses as lines of an environment file, then waits for Ctrl-C. Those of the settings stay."""
    with dependencies(settings) as reached:
        print(f"DATABASE_URL={reached.database_url}\nREDIS_URL={reached.redis_url}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
        report("stopping")
    report("stopped")
