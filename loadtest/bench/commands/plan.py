"""What is measured of commands, how much of it, and the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loadtest.bench.calls import COMMANDS
from loadtest.bench.figures import Metric, Target

POOL: Final = 10
"""Connections to PostgreSQL of everything that has a pool; the product's default."""
ALONE: Final = 1
LOADED: Final = 64
CROWDED: Final = 512


@dataclass(frozen=True, slots=True)
class CommandsSizes:
    """How much is measured. `for_s` is the duration of one measurement; `rounds` are without the warm-up.

    pgbench is started anew for each measurement, and warms up for `pgbench_warm_s` each time.
    """

    sockets: tuple[int, ...]
    people: int
    posts: int
    rounds: int
    for_s: float
    pgbench_warm_s: float
    budget_s: float


FULL: Final = CommandsSizes(
    (ALONE, LOADED, CROWDED), people=600, posts=6_000, rounds=3, for_s=0.5, pgbench_warm_s=0.6, budget_s=330
)
QUICK: Final = CommandsSizes(
    (ALONE, LOADED), people=200, posts=2_000, rounds=1, for_s=0.12, pgbench_warm_s=0.4, budget_s=45
)
LONG_PEOPLE: Final = 100_000
LONG_POSTS: Final = 2_000_000

_TITLES: Final = {
    "profile": "profile",
    "feed": "feed page of 20",
    "sync": "sync, nothing new",
    "like": "like or unlike",
    "comment": "comment",
    "post": "post",
    "message": "message",
    "follow": "follow or unfollow",
}
_KINDS: Final = {
    "rate": ("commands answered", "per s"),
    "cpu": ("CPU of the server per command", "us"),
    "postgres": ("CPU of PostgreSQL per command", "us"),
    "p50": ("latency P50", "ms"),
    "p99": ("latency P99", "ms"),
    "refused": ("commands refused under too much load", "%"),
}
"""The kinds of figures: title of their part of the table, and unit.

The server is the one process that answers the sockets, or what is in its place. PostgreSQL also works for the product's
worker and background tasks meanwhile.
"""


def key(kind: str, command: str, sockets: int) -> str:
    """The name of a figure."""
    return f"{kind}_{command}_{sockets}"


def parts(sizes: CommandsSizes) -> dict[str, tuple[Metric, ...]]:
    """The rows of each part of the table, by the title of the part."""
    return {
        f"{title}, {unit}": tuple(
            Metric(key(kind, command, sockets), f"{_TITLES[command]}, {_clients(sockets)}", unit)
            for command in COMMANDS
            for sockets in sizes.sockets
        )
        for kind, (title, unit) in _KINDS.items()
    }


def metrics(sizes: CommandsSizes) -> tuple[Metric, ...]:
    """All rows of the table."""
    return tuple(metric for part in parts(sizes).values() for metric in part)


def _clients(sockets: int) -> str:
    return "1 socket" if sockets == 1 else f"{sockets:,} sockets"


def _at_least(command: str, sockets: int, bound: float, reference: str) -> Target:
    return Target(key("rate", command, sockets), "product", bound, reference, "at least")


TARGETS: Final = (
    *(_at_least(command, LOADED, 1.5, "node") for command in ("profile", "like", "post", "message")),
    *(_at_least(command, CROWDED, 3, "node") for command in ("profile", "like", "post", "message")),
    _at_least("like", LOADED, 1, "pgbench"),
    _at_least("feed", LOADED, 1.2, "asyncpg"),
)
