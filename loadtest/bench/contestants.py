"""The servers that are measured beside each other."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NODE_FOLDER: Final = Path(__file__).parents[1] / "peers" / "node"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server as it is started; `--port N` is added. What answers two events only on `/` has `namespaces` 1.

    `many` tells that it is measured with thousands of sockets too; `loaded` and `loaded_many` that there are 32
    publishers too, with few and with thousands of sockets. The clients of one that is `recovering` ask for recovery:
    who has left them is kept in memory, so that they come once and stay.
    """

    name: str
    title: str
    command: tuple[str, ...]
    namespaces: int = 6
    many: bool = True
    loaded: bool = True
    loaded_many: bool = True
    recovering: bool = False


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", name, *arguments)


ENGINE: Final = Contestant("engine", "engine", _module("loadtest.micro.engine_server"))
RECOVERY: Final = Contestant(
    "recovery",
    "+ recovery",
    _module("loadtest.micro.engine_server", "--recovery", "--rooms", "5"),
    # Their frames carry ids of different lengths, and the load client tells frames apart by nothing but their length.
    loaded=False,
    loaded_many=False,
    recovering=True,
)
"""As `ENGINE`, with what a client of the product costs beyond a bare connection: recovery and five rooms."""
DISPATCH: Final = Contestant(
    "dispatch", "dispatch", _module("loadtest.micro.dispatch_server"), namespaces=1, many=False
)
NODE: Final = Contestant("node", "Node", ("node", "--expose-gc", str(_NODE_FOLDER / "server.mjs")))
STOCK: Final = Contestant("stock", "stock", _module("loadtest.peers.stock_socketio"), loaded_many=False)
BARE: Final = Contestant("bare", "bare uvloop", _module("loadtest.peers.bare_uvloop"))

ALL: Final = (ENGINE, RECOVERY, DISPATCH, NODE, STOCK, BARE)
