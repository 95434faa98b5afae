"""A server in the middle of its stop, held there for as long as a test looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from tests.kit.server import RunningServer


@asynccontextmanager
async def draining(server: RunningServer) -> AsyncIterator[None]:
    """Stops the server, which has to wait meanwhile for a polling client that is slow to send its body."""
    async with server.http.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as response:
        sid = orjson.loads((await response.read())[1:])["sid"]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.node.port)
    writer.write(
        f"POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n".encode()
    )
    # The server waits for the body as soon as it has said this.
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    stopping = asyncio.create_task(server.node.stop())
    while not server.node.drain_state.is_draining:
        await asyncio.sleep(0)
    try:
        yield
        assert not stopping.done(), "the drain was over too early for this test"
    finally:
        writer.transport.abort()
        await stopping
