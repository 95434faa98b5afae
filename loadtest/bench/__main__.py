"""`./run bench engine`: compares the socket engine with other servers, in one run, on the loopback address."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from loadtest.bench.figures import FULL, QUICK, verdicts
from loadtest.bench.report import store, table
from loadtest.bench.rounds import GROUPS, Bench
from loadtest.bench.servers import ALL
from loadtest.server_process import raise_file_limit

RESULTS: Final = Path(__file__).parents[1] / "results"
_SPARE_FILES: Final = 100


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    sizes = QUICK if options.quick else FULL
    servers = [spec for spec in ALL if spec.name in options.servers]
    if raise_file_limit() < sizes.large + _SPARE_FILES:
        tell(f"a process may not open {sizes.large:,} files here: raise the limit (ulimit -Hn), or use --quick")
        return 1
    figures = Bench(servers, sizes, options.only, tell=tell).run()
    reached = verdicts(figures)
    print(table(figures, servers, sizes, reached))
    for path in store(options.results, "engine-quick" if options.quick else "engine", figures, servers, sizes, reached):
        tell(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if figures.failures else 0


def tell(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    names = [spec.name for spec in ALL]
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("what", choices=["engine"])
    parser.add_argument("--quick", action="store_true", help="fewer sockets and rounds: under a minute, less exact")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS, help="which figures")
    parser.add_argument("--servers", nargs="+", choices=names, default=names, help="which servers")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for the JSON file and the picture")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
