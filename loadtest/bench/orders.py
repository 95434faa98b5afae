"""The other side of `ChildProcess.order`: a process that does what it is told, one order after the other."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from loadtest.bench.connecting_socket import ClientFailed

DEADLINE_S: Final = 30.0

Order = Callable[..., Awaitable[dict[str, Any]]]


async def serve_orders(orders: Mapping[str, Order]) -> None:
    """Executes the orders of standard input and writes one answer for each; returns at the end of the input.

    The event loop runs between two orders, so that sockets stay alive.
    """
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await _execute(orders, json.loads(line))), flush=True)


async def _execute(orders: Mapping[str, Order], order: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {name: value for name, value in order.items() if name != "do"}
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await orders[order["do"]](**arguments)
    except TimeoutError:
        return {"failed": f"not done after {DEADLINE_S:.0f} s"}
    except (ClientFailed, OSError) as error:
        return {"failed": str(error)}
    except ExceptionGroup as group:
        return {"failed": str(group.exceptions[0])}


def percentiles_ms(durations_s: list[float]) -> dict[str, float]:
    """P50 and P99 in milliseconds; none of no durations. Sorts the list."""
    if not durations_s:
        return {}
    durations_s.sort()
    last = len(durations_s) - 1
    return {f"p{part}_ms": durations_s[min(last, len(durations_s) * part // 100)] * 1000 for part in (50, 99)}
