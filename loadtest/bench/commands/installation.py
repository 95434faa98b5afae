"""PostgreSQL, Valkey and a network for one run, in a folder that is removed afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

from loadtest.bench.commands.postgres import PostgresProcesses
from loadtest.bench.commands.statements import Statement
from loadtest.bench.commands.world import choose_world
from loadtest.bench.services import backing_services, seed_network

PEER_DATABASE: Final = "peers"
_SESSION: Final = {"jit": "off", "plan_cache_mode": "force_generic_plan", "random_page_cost": "1.1"}
"""Settings that change plans, as the product stores them in its own database; a test compares all of them."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The product has a database of its own, and all peers share a copy: its worker must not find their Facts."""

    folder: Path
    environment: Mapping[str, str]
    """Of the product's processes."""
    peer_database_url: str
    postgres: PostgresProcesses
    world_path: Path


@contextmanager
def installation(
    folder: Path,
    statements: Mapping[str, Statement],
    *,
    people: int,
    posts: int,
    callers: int,
    tell: Callable[[str], None],
) -> Iterator[Installation]:
    """Starts PostgreSQL and Valkey, writes a network, and chooses `callers` from it. Raises BenchFailed."""
    tokens, world_path = folder / "tokens", folder / "world.json"
    with open(folder / "services.log", "wb") as log, backing_services(folder / "data", log) as environment:
        tell(f"writing a network of {people:,} people and {posts:,} posts")
        seed_network(environment, people=people, posts=posts, tokens=tokens)
        database_url = environment["DATABASE_URL"]
        asyncio.run(choose_world(database_url, statements, tokens, count=callers)).write(world_path)
        postgres = PostgresProcesses.of_data(folder / "data" / "postgres")
        postgres.copy_database(database_url, PEER_DATABASE)
        yield Installation(folder, environment, peer_url(database_url, PEER_DATABASE), postgres, world_path)


def peer_url(database_url: str, name: str) -> str:
    """The URL of another database of the same server, with the settings that the product uses."""
    parts = urlsplit(database_url)
    options = quote(" ".join(f"-c {name}={value}" for name, value in _SESSION.items()))
    return urlunsplit(parts._replace(path=f"/{name}", query=f"{parts.query}&options={options}"))
