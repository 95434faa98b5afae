"""The servers that the benchmark compares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.bench.processes import python_module

_NODE_FOLDER: Final = Path(__file__).parents[2] / "peers" / "node"


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """How to start a server: `command`, to which `--port N` is added. A server with only the namespace `/` has
    `namespaces` 1.

    `many`: it is also measured with thousands of sockets; `loaded` and `loaded_many`: also with 32 publishers, with few
    and with thousands of sockets. The clients of a `recovering` server ask for recovery: it keeps the sessions of
    disconnected clients in memory, so its clients connect once and stay.
    """

    name: str
    title: str
    command: tuple[str, ...]
    namespaces: int = 6
    many: bool = True
    loaded: bool = True
    loaded_many: bool = True
    recovering: bool = False


ENGINE: Final = ServerSpec("engine", "engine", python_module("loadtest.micro.engine_server"))
RECOVERY: Final = ServerSpec(
    "recovery",
    "+ recovery",
    python_module("loadtest.micro.engine_server", "--recovery", "--rooms", "5"),
    # Its frames contain ids of different lengths, and the load client counts frames only by their length.
    loaded=False,
    loaded_many=False,
    recovering=True,
)
"""`ENGINE` with what a client of the product has beyond a bare connection: recovery and five rooms."""
DISPATCH: Final = ServerSpec(
    "dispatch", "dispatch", python_module("loadtest.micro.dispatch_server"), namespaces=1, many=False
)
NODE: Final = ServerSpec("node", "Node", ("node", "--expose-gc", str(_NODE_FOLDER / "server.mjs")))
STOCK: Final = ServerSpec("stock", "stock", python_module("loadtest.peers.stock_socketio"), loaded_many=False)
BARE: Final = ServerSpec("bare", "bare uvloop", python_module("loadtest.peers.bare_uvloop"))

ALL: Final = (ENGINE, RECOVERY, DISPATCH, NODE, STOCK, BARE)
