"""Fills a database with a network to look at, or to put under load."""

import asyncio
from pathlib import Path

from server.commands.dependencies import dependencies, tell
from server.config import Settings


def seed(settings: Settings, *, people: int, posts: int, graph: Path | None, tokens: Path | None) -> None:
    """People who follow each other and have posted are there, with ready-made access tokens in `tokens`."""
    from server.dev.seed import seed as write
    from sql.migrate import migrate

    with dependencies(settings, redis=False) as reached:
        asyncio.run(migrate(reached.database_url))
        asyncio.run(write(reached, people=people, posts=posts, graph=graph, tokens=tokens, tell=tell))
