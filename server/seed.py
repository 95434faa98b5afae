"""Fills a database with a demo network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server.config import Settings


@dataclass(frozen=True)
class DemoLogin:
    """With what a newcomer can log in to the demo network."""

    username: str
    password: str


async def seed_if_empty(settings: Settings, *, tell: Callable[[str], None]) -> DemoLogin | None:
    """A database without people gets a demo network; None when its people are not those of the demo."""
    return None


async def seed(
    settings: Settings,
    *,
    people: int,
    posts: int,
    graph: Path | None,
    tokens: Path | None,
    tell: Callable[[str], None],
) -> None:
    """Writes people who follow each other and have posted; `graph` is an edge list whose people come instead."""
    tell("there is no demo network yet")
