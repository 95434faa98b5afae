"""Measures feeds, fan-out, mixed commands and likes of one post, with two servers and a worker, against targets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from loadtest.bench.figures import verdicts
from loadtest.bench.options import parser, tell, tell_stored
from loadtest.bench.processes import BenchFailed
from loadtest.bench.report import document, store
from loadtest.bench.social.measurements import SocialBench
from loadtest.bench.social.network import FIRST_READER
from loadtest.bench.social.plan import GROUPS, LONG, QUICK, SMALL, TARGETS, SocialSizes
from loadtest.bench.social.report import picture, table
from loadtest.server_process import raise_file_limit

_SPARE_FILES: Final = 100


def main(arguments: Sequence[str]) -> int:
    options = parser("social", __doc__, quick="a very small network and few samples: some seconds", groups=GROUPS)
    options.add_argument(
        "--long",
        action="store_true",
        help=f"{LONG.people:,} people with {LONG.posts:,} posts, which take long to write, and {LONG.mixed_rate:,} "
        f"commands a second",
    )
    chosen = options.parse_args(arguments)
    if chosen.quick and chosen.long:
        options.error("a run is quick or long")
    sizes = QUICK if chosen.quick else LONG if chosen.long else SMALL
    sockets = sockets_at_once(sizes)
    if raise_file_limit() < sockets + _SPARE_FILES:
        tell(f"a process may not open {sockets:,} files here: raise the limit (ulimit -Hn)")
        return 1
    # In their own order, since only the first readers find no lists.
    load = os.getloadavg()[0]
    bench = SocialBench(sizes, [group for group in GROUPS if group in chosen.only], tell=tell)
    try:
        figures = bench.run()
    except BenchFailed as error:
        tell(str(error))
        return 1
    reached = verdicts(figures, TARGETS)
    print(table(figures, reached))
    content = document(figures, reached, {"sizes": asdict(sizes), "follows": bench.follows, "load_at_start": load})
    name = "social" + ("-quick" if chosen.quick else "-long" if chosen.long else "")
    tell_stored(store(chosen.results, name, content, picture(figures)))
    return 1 if figures.failures else 0


def sockets_at_once(sizes: SocialSizes) -> int:
    """How many clients are connected at the end, at most."""
    return max(sizes.viewers, sizes.sockets, sizes.listeners) + sizes.viewers + FIRST_READER
