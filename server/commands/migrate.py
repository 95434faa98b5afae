"""Brings the schema up to date without starting Rookery."""

import asyncio

from server.commands.backing_services import dependencies, report
from server.config import Settings


def migrate(settings: Settings) -> None:
    """Applies the missing migrations. Any number of processes may run this at the same time."""
    from sql.migrate import migrate as apply

    with dependencies(settings, redis=False) as reached:
        applied = asyncio.run(apply(reached.database_direct_url or reached.database_url))
    report(f"brought the database up to date ({applied} migrations)" if applied else "the database is up to date")
