"""The process of a measured server: its port, its report that it is ready, its end, garbage collection on request."""

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
    """The command line options of every measured server."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="where to listen on the loopback address")
    return parser


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a server to its end on uvloop, with as many open files as the system allows."""
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def raise_file_limit() -> int:
    """Lets this process and its children open as many files as the system allows; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def serve_until_signal(**details: object) -> None:
    """Prints one line of JSON, `{"ready": true}` with `details` for the clients; returns on SIGTERM or SIGINT.

    SIGUSR2 runs a garbage collection, so that memory can be compared.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGUSR2, gc.collect)
    announcement: Mapping[str, object] = {"ready": True, **details}
    print(json.dumps(announcement), flush=True)
    await stopping.wait()
