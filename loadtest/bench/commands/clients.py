"""A process with the clients of one server, one for each caller: `python -m loadtest.bench.commands.clients`."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvloop

from loadtest.bench.calls import NAMESPACES, BenchCaller, World
from loadtest.bench.commands.asking_socket import AskingSocket
from loadtest.bench.connecting_socket import ClientFailed, ConnectingSocket
from loadtest.bench.frames import event
from loadtest.bench.orders import Order, percentiles_ms, serve_orders
from loadtest.server_process import raise_file_limit

CONNECTING_AT_ONCE: Final = 32
_ACK_ID: Final = 1
_PULLS_MAX: Final = 20


class Callers:
    """The sockets of the callers of `world`, in their order."""

    def __init__(self, port: int, world: World) -> None:
        self._port = port
        self._world = world
        self._sockets: list[AskingSocket] = []
        self._frames: dict[tuple[str, int], list[bytes]] = {}
        self._running = 0
        self._done: asyncio.Future[None] | None = None
        self._lost: str | None = None

    async def connect(self, *, count: int) -> dict[str, Any]:
        """Connects more callers, until there are `count`."""
        turns = asyncio.Semaphore(CONNECTING_AT_ONCE)

        async def one(place: int) -> tuple[AskingSocket, BenchCaller]:
            async with turns:
                socket = await self._connect_one(place)
                return socket, replace(self._world.callers[place], cursor=await _cursor(socket))

        known = len(self._sockets)
        new = await asyncio.gather(*map(one, range(known, count)))
        self._sockets += [socket for socket, _ in new]
        callers = self._world.callers
        callers = (*callers[:known], *(caller for _, caller in new), *callers[known + len(new) :])
        self._world = replace(self._world, callers=callers)
        return {"connected": len(self._sockets)}

    async def run(self, *, command: str, sockets: int, for_s: float) -> dict[str, Any]:
        """The first callers call as fast as they are answered, until the time is over."""
        if self._lost is not None:
            raise ClientFailed(self._lost)
        asking = self._sockets[:sockets]
        frames = [self._frames_of(command, place) for place in range(sockets)]
        self._running, self._done = len(asking), asyncio.get_running_loop().create_future()
        began_s = time.perf_counter()
        for socket, own_frames in zip(asking, frames, strict=True):
            socket.ask(command, own_frames, until_s=began_s + for_s)
        await self._done
        elapsed_s = time.perf_counter() - began_s
        durations_s = [duration_s for socket in asking for duration_s in socket.durations_s]
        refused = sum(socket.refused for socket in asking)
        if not durations_s:
            raise ClientFailed(f"all {refused:,} commands were refused")
        return {
            "commands": len(durations_s),
            "refused": refused,
            "elapsed_s": elapsed_s,
            **percentiles_ms(durations_s),
        }

    def close(self) -> None:
        """Drops all connections."""
        for socket in self._sockets:
            socket.close()

    async def _connect_one(self, place: int) -> AskingSocket:
        caller = self._world.callers[place]
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        # The product reads the token; the peers check none and are told who it is.
        auth = {"token": caller.access_token, "user_id": str(caller.user_id)}
        transport, _ = await loop.create_connection(
            lambda: ConnectingSocket(self._port, NAMESPACES, auth, ready), "127.0.0.1", self._port
        )
        await ready
        socket = AskingSocket(transport, on_end=self._end)
        transport.set_protocol(socket)
        return socket

    def _frames_of(self, command: str, place: int) -> list[bytes]:
        key = (command, place)
        if key not in self._frames:
            self._frames[key] = [
                event(call.name, call.payload, _ACK_ID, namespace=call.namespace)
                for call in self._world.calls(command, place)
            ]
        return self._frames[key]

    def _end(self, failure: str | None) -> None:
        if self._done is None or self._done.done():
            self._lost = failure
            return
        self._running -= 1
        if failure is not None:
            self._done.set_exception(ClientFailed(failure))
        elif not self._running:
            self._done.set_result(None)


async def _cursor(socket: AskingSocket) -> str:
    """A cursor of `sync:pull` from which there is nothing new; others may still be writing what was before it."""
    payload: dict[str, str] = {}
    for _ in range(_PULLS_MAX):
        pulled = await socket.ask_once(event("sync:pull", payload, _ACK_ID, namespace="/users"))
        payload = {"cursor": pulled["cursor"]}
        if not pulled["changes"]:
            break
    return payload["cursor"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--world", type=Path, required=True, help="the file of World.write")
    options = parser.parse_args()
    raise_file_limit()
    callers = Callers(options.port, World.read(options.world))
    orders: Mapping[str, Order] = {"connect": callers.connect, "run": callers.run}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_orders(orders))


if __name__ == "__main__":
    main()
