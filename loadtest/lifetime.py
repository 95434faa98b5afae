"""How a server that is measured lives: on a given port, ready when it says so, collecting garbage when asked."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import signal
from collections.abc import Coroutine, Mapping
from typing import Any

import uvloop


def server_options(description: str | None) -> argparse.ArgumentParser:
    """What every measured server is told on its command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="where to listen on the loopback address")
    return parser


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a server to its end: on uvloop, with as many files open as the system allows."""
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def raise_file_limit() -> int:
    """Lets this process and its children have as many files open as the system allows; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def serve_until_told(**told: object) -> None:
    """Prints one line of JSON that says it is ready, with what clients need to know; returns on SIGTERM or SIGINT.

    SIGUSR2 collects garbage, so that memory can be compared.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGUSR2, gc.collect)
    announcement: Mapping[str, object] = {"ready": True, **told}
    print(json.dumps(announcement), flush=True)
    await stopping.wait()
