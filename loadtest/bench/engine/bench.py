"""Compares the socket engine with other servers, in one run, on the loopback address."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from loadtest.bench.engine.measurements import GROUPS, Bench
from loadtest.bench.engine.plan import FULL, QUICK, TARGETS
from loadtest.bench.engine.report import picture, table
from loadtest.bench.engine.servers import ALL
from loadtest.bench.figures import verdicts
from loadtest.bench.options import parser, tell, tell_stored
from loadtest.bench.report import document, store
from loadtest.server_process import raise_file_limit

_SPARE_FILES: Final = 100


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    sizes = QUICK if options.quick else FULL
    servers = [spec for spec in ALL if spec.name in options.servers]
    if raise_file_limit() < sizes.large + _SPARE_FILES:
        tell(f"a process may not open {sizes.large:,} files here: raise the limit (ulimit -Hn), or use --quick")
        return 1
    figures = Bench(servers, sizes, options.only, tell=tell).run()
    reached = verdicts(figures, TARGETS)
    print(table(figures, servers, sizes, reached))
    content = document(figures, reached, {"sizes": asdict(sizes)})
    name = "engine-quick" if options.quick else "engine"
    tell_stored(store(options.results, name, content, picture(figures, servers, sizes)))
    return 1 if figures.failures else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    return parser(
        "engine",
        __doc__,
        quick="fewer sockets and rounds: under a minute, less exact",
        groups=GROUPS,
        servers=[spec.name for spec in ALL],
    ).parse_args(arguments)
