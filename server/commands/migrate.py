"""Brings the schema up to date without starting Rookery."""

import asyncio

from server.commands.backing_services import dependencies, report
from server.config import Settings


def migrate(settings: Settings) -> None:
    """Applies the missing migrations and stores the session settings. Many processes may run this at the same time."""
    from server.commands.schema import bring_up_to_date

    with dependencies(settings, redis=False) as reached:
        applied = asyncio.run(bring_up_to_date(reached))
    report(f"brought the database up to date ({applied} migrations)" if applied else "the database is up to date")
