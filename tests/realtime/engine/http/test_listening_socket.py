"""What an accepted socket has from the one that listened for it."""

import asyncio
import socket

import pytest

from realtime.engine.http.listening_socket import KERNEL_BUFFER_BYTES, listen

OPTIONS = (socket.SO_SNDBUF, socket.SO_KEEPALIVE)


async def _accepted_options(listening: socket.socket) -> list[int]:
    """The options of a socket that the loop accepted."""
    accepted: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        accepted.set_result([raw.getsockopt(socket.SOL_SOCKET, option) for option in OPTIONS])
        writer.close()

    async with await asyncio.start_server(accept, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        options = await accepted
        writer.close()
    return options


async def test_the_kernel_holds_little_for_a_client_and_looks_whether_it_is_there() -> None:
    kernel_bytes, is_watched = await _accepted_options(listen("127.0.0.1", 0))
    # Linux doubles what it is asked for.
    assert KERNEL_BUFFER_BYTES <= kernel_bytes <= 2 * KERNEL_BUFFER_BYTES
    assert is_watched


async def test_a_port_has_one_listener_only() -> None:
    with listen("127.0.0.1", 0) as listening, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listening.getsockname()[1])
