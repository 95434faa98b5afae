"""Fills a database with a demo network, to look at or to load test."""

import asyncio
import gc
from pathlib import Path

from server.commands.backing_services import dependencies, report
from server.config import Settings


def seed(settings: Settings, *, people: int, posts: int, graph: Path | None, tokens: Path | None) -> None:
    """Brings the schema up to date, writes a network, and writes access tokens of its users to `tokens`."""
    from server.commands.schema import bring_up_to_date
    from server.dev.seed import seed as write

    gc.disable()  # millions of records, none of them in a cycle
    with dependencies(settings, redis=False) as reached:
        asyncio.run(bring_up_to_date(reached))
        asyncio.run(write(reached, people=people, posts=posts, graph=graph, tokens=tokens, report=report))
