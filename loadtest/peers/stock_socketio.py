"""Stock python-socketio on aiohttp and uvloop: `python -m loadtest.peers.stock_socketio --port N`."""

from __future__ import annotations

from typing import Final

import socketio
from aiohttp import web

from loadtest.server_process import run, serve_until_signal, server_options

NAMESPACES: Final = ("/", "/b", "/c", "/d", "/e", "/f")
PING_INTERVAL_S: Final = 600
BACKLOG: Final = 1_024


async def serve(port: int) -> None:
    server = socketio.AsyncServer(async_mode="aiohttp", namespaces=list(NAMESPACES), ping_interval=PING_INTERVAL_S)

    async def publish(sid: str, data: object) -> None:
        await server.emit("msg", data)

    async def echo(sid: str, data: object) -> dict[str, bool]:
        return {"ok": True}

    server.on("pub", publish)
    server.on("echo", echo)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=BACKLOG).start()
    await serve_until_signal()
    await runner.cleanup()


def main() -> None:
    run(serve(server_options(__doc__).parse_args().port))


if __name__ == "__main__":
    main()
