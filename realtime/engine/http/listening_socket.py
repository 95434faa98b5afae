"""The listening socket."""

from __future__ import annotations

import socket
from typing import Final

KERNEL_BUFFER_BYTES: Final = 128 * 1024
"""Send buffer of the kernel for one client: a larger one would hide megabytes that a stalled client has not read."""


def listen(host: str, port: int, *, backlog: int = 1024) -> socket.socket:
    """Listens on the first address of this host name; port 0: on a free port.

    Accepted sockets inherit the options of the listening one: none has to be set for each client.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = socket.create_server((host, port), family=family, backlog=backlog)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return listening
