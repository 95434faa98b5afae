"""Compares the product's commands, from the socket to PostgreSQL, with other ways to the same SQL, in one run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final

from loadtest.bench.calls import COMMANDS
from loadtest.bench.commands.measurements import CommandsBench
from loadtest.bench.commands.participants import ALL
from loadtest.bench.commands.plan import FULL, LONG_PEOPLE, LONG_POSTS, QUICK, TARGETS, CommandsSizes
from loadtest.bench.commands.report import picture, table
from loadtest.bench.figures import verdicts
from loadtest.bench.options import parser, tell, tell_stored
from loadtest.bench.processes import BenchFailed
from loadtest.bench.report import document, store
from loadtest.server_process import raise_file_limit

_SPARE_FILES: Final = 100


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    sizes = _sizes(options)
    specs = [spec for spec in ALL if spec.name in options.servers]
    if raise_file_limit() < max(sizes.sockets) + _SPARE_FILES:
        tell(f"a process may not open {max(sizes.sockets):,} files here: raise the limit (ulimit -Hn)")
        return 1
    try:
        figures = CommandsBench(specs, sizes, options.only, work=options.worker, tell=tell).run()
    except BenchFailed as error:
        tell(str(error))
        return 1
    reached = verdicts(figures, TARGETS)
    print(table(figures, specs, sizes, reached))
    content = document(figures, reached, {"sizes": asdict(sizes), "worker": options.worker})
    name = "commands" + ("-long" if options.long else "") + ("-quick" if options.quick else "")
    tell_stored(store(options.results, name, content, picture(figures, specs, sizes)))
    return 1 if figures.failures else 0


def _sizes(options: argparse.Namespace) -> CommandsSizes:
    sizes = QUICK if options.quick else FULL
    people, posts = (LONG_PEOPLE, LONG_POSTS) if options.long else (sizes.people, sizes.posts)
    return replace(
        sizes,
        sockets=tuple(sorted(options.sockets or sizes.sockets)),
        people=options.people or people,
        posts=options.posts or posts,
    )


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    options = parser(
        "commands",
        __doc__,
        quick="one short round: under a minute, less exact",
        groups=COMMANDS,
        servers=[spec.name for spec in ALL],
    )
    options.add_argument(
        "--long",
        action="store_true",
        help=f"on {LONG_PEOPLE:,} people with {LONG_POSTS:,} posts, which take long to write",
    )
    options.add_argument("--people", type=int, help="how many people the network has; each socket needs one")
    options.add_argument("--posts", type=int, help="how many posts the network has")
    options.add_argument("--sockets", type=int, nargs="+", help="how many sockets call at once")
    options.add_argument(
        "--worker", action=argparse.BooleanOptionalAction, default=True, help="run the product's worker beside it"
    )
    chosen = options.parse_args(arguments)
    sizes = _sizes(chosen)
    if min(sizes.sockets) < 1:
        options.error("there is at least one socket")
    if sizes.people < max(sizes.sockets):
        options.error(f"{max(sizes.sockets):,} sockets need as many people, not {sizes.people:,}")
    return chosen
