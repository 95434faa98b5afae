"""The command line of every benchmark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parents[1] / "results"


def parser(
    name: str, description: str | None, *, quick: str, groups: Sequence[str], servers: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """The options that all benchmarks have; `quick` describes the quick form. Without `servers` nothing is compared."""
    options = argparse.ArgumentParser(prog=f"./run bench {name}", description=description)
    options.add_argument("--quick", action="store_true", help=quick)
    options.add_argument("--only", nargs="+", choices=groups, default=groups, help="which figures")
    if servers:
        options.add_argument("--servers", nargs="+", choices=servers, default=servers, help="which servers")
    options.add_argument(
        "--results", type=Path, metavar="DIR", default=RESULTS, help="folder for the JSON file and the picture"
    )
    return options


def tell(text: str) -> None:
    """Prints a line of progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def tell_stored(paths: Iterable[Path]) -> None:
    """Says where the results are."""
    for path in paths:
        tell(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
