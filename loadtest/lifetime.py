"""How a server that is measured lives: it says where it listens, collects garbage when asked, and stops on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import signal
from collections.abc import Mapping


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
