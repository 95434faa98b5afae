"""`./run bench NAME`: runs a benchmark; without a name: lists them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from loadtest.bench.commands import bench as commands
from loadtest.bench.engine import bench as engine
from loadtest.bench.facts import bench as facts
from loadtest.bench.social import bench as social

_BENCHES: Final[Mapping[str, tuple[str, Callable[[Sequence[str]], int]]]] = {
    "commands": ("the cost of a command, from the socket to PostgreSQL, beside Node and bare clients", commands.main),
    "engine": ("the socket engine alone, beside Node's socket.io and other servers", engine.main),
    "facts": ("Facts a second through consumers that store a row for each, beside SQL by hand", facts.main),
    "social": ("feed pages, fan-out, mixed commands and likes of one post, in a network with celebrities", social.main),
}


def main(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in _BENCHES:
        return _BENCHES[arguments[0]][1](arguments[1:])
    asked = not arguments or arguments[0] in ("-h", "--help")
    listed = [f"  ./run bench {name:10}{purpose}" for name, (purpose, _) in _BENCHES.items()]
    said = "" if asked else f"there is no benchmark {arguments[0]!r}\n\n"
    print(
        said + "\n".join(["Benchmarks; `./run bench NAME --help` tells the options of one:", "", *listed]),
        file=sys.stdout if asked else sys.stderr,
    )
    return 0 if asked else 2


if __name__ == "__main__":
    # As after Ctrl-C, all processes that were started end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
