"""Brings the database up to date, apart from starting the product."""

import asyncio

from server.commands.dependencies import dependencies, tell
from server.config import Settings


def migrate(settings: Settings) -> None:
    """The schema is that of this version; any number of nodes may do this at once."""
    from sql.migrate import migrate as apply

    with dependencies(settings, redis=False) as reached:
        applied = asyncio.run(apply(reached.database_url))
    tell(f"brought the database up to date ({applied} migrations)" if applied else "the database is up to date")
