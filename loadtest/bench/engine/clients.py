"""A process with thousands of clients of one server: reads one order per line, answers with one line each."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import uvloop

from loadtest.bench.connecting_socket import ClientFailed, ConnectingSocket
from loadtest.bench.engine.client_sockets import CountingSocket, DeliveryCounter, EchoingSocket
from loadtest.bench.frames import event
from loadtest.bench.orders import Order, percentiles_ms, serve_orders
from loadtest.server_process import raise_file_limit

NAMESPACES: Final = ("/", "/b", "/c", "/d", "/e", "/f")
PAYLOAD_BYTES: Final = 200
PAYLOAD: Final = {"text": "x" * (PAYLOAD_BYTES - len('{"text":""}'))}
CONNECTING_AT_ONCE: Final = 64


class Clients:
    """Clients of the server on `port`, connected until the order "disconnect" or the end of the process.

    `auth` is sent with each CONNECT.
    """

    def __init__(self, port: int, auth: Mapping[str, object]) -> None:
        self._port = port
        self._auth = auth
        self._counter = DeliveryCounter()
        self._transports: list[asyncio.Transport] = []

    async def connect(self, *, count: int, namespaces: int) -> dict[str, Any]:
        """Connects `count` clients, some at a time."""
        turns = asyncio.Semaphore(CONNECTING_AT_ONCE)
        began_s = time.perf_counter()

        async def one() -> None:
            async with turns:
                await self._connect_one(NAMESPACES[:namespaces])

        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(one())
        return {"connected": count, "elapsed_s": time.perf_counter() - began_s}

    async def publish(self, *, publishers: int, for_s: float) -> dict[str, Any]:
        """All publishers send one message at once, and the next when all clients have received all of them.

        Returns the number of deliveries, and how long after its publication a message was received (percentiles; for a
        single publisher only, since with several it is unknown which message it was).
        """
        frame = event("pub", PAYLOAD)
        publishing, clients, messages = self._transports[:publishers], len(self._transports), 0
        ages_s: list[float] = []
        began_s = time.perf_counter()
        while not messages or time.perf_counter() - began_s < for_s:
            all_received = self._counter.expect(len(publishing) * clients)
            sent_s = time.perf_counter()
            for transport in publishing:
                transport.write(frame)
            await all_received
            messages += len(publishing)
            if len(publishing) == 1:
                ages_s += [at_s - sent_s for at_s in self._counter.received_at_s]
        answer = {
            "messages": messages,
            "deliveries": messages * clients,
            "elapsed_s": time.perf_counter() - began_s,
        }
        return answer | percentiles_ms(ages_s)

    async def echo(self, *, clients: int, for_s: float) -> dict[str, Any]:
        """Clients send an event, and the next as soon as it is answered."""
        done = asyncio.get_running_loop().create_future()
        until_s = time.perf_counter() + for_s
        asking = self._transports[:clients]
        left = len(asking)

        def end() -> None:
            nonlocal left
            left -= 1
            if not left:
                done.set_result(None)

        question = event("echo", PAYLOAD, ack_id=1)
        echoing = [
            EchoingSocket(transport, question, again=lambda: time.perf_counter() < until_s, on_end=end)
            for transport in asking
        ]
        for transport, socket in zip(asking, echoing, strict=True):
            transport.set_protocol(socket)
            socket.ask()
        await done
        for transport in asking:
            transport.set_protocol(CountingSocket(self._counter))
        for socket in echoing:
            if b'1[{"ok":true' not in socket.last_answer.replace(b" ", b""):
                raise ClientFailed(f"answered {socket.last_answer!r}")
        return {"events": sum(socket.answers for socket in echoing)}

    async def disconnect(self) -> dict[str, Any]:
        """Drops the connections of all clients."""
        count = len(self._transports)
        for transport in self._transports:
            transport.set_protocol(asyncio.Protocol())
            transport.abort()
        self._transports.clear()
        self._counter = DeliveryCounter()
        await asyncio.sleep(0)
        return {"disconnected": count}

    async def _connect_one(self, namespaces: tuple[str, ...]) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        transport, _ = await loop.create_connection(
            lambda: ConnectingSocket(self._port, namespaces, self._auth, ready), "127.0.0.1", self._port
        )
        await ready
        transport.set_protocol(CountingSocket(self._counter))
        self._transports.append(transport)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token", help="access token that each client sends")
    parser.add_argument("--recovery", action="store_true", help="each client asks for connection state recovery")
    options = parser.parse_args()
    token = {} if options.token is None else {"token": options.token}
    auth = token | ({"recovery": True} if options.recovery else {})
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        clients = Clients(options.port, auth)
        orders: Mapping[str, Order] = {
            "connect": clients.connect,
            "publish": clients.publish,
            "echo": clients.echo,
            "disconnect": clients.disconnect,
        }
        runner.run(serve_orders(orders))


if __name__ == "__main__":
    main()
