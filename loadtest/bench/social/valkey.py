"""What Valkey tells of itself: CPU time, and the memory of the feeds' lists."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from loadtest.bench.processes import BenchFailed

LISTS: Final = "feed:{*"
"""Names of the lists that the product keeps of home feeds."""
_TIMEOUT_S: Final = 10.0
_AT_ONCE: Final = 500

Reply = bytes | int | list["Reply"] | None


class ValkeyConnection:
    """Commands to one server, in the protocol of Redis; it is asked and waits for the answer."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._answers = connected.makefile("rb")

    def call_all(self, commands: Sequence[Sequence[str | bytes]]) -> list[Reply]:
        """The answers to several commands, sent together. Raises BenchFailed for a refused one."""
        self._socket.sendall(b"".join(map(_encoded, commands)))
        return [self._read() for _ in commands]

    def cpu_s(self) -> float:
        """The CPU time of the process, in user and kernel mode."""
        (told,) = self.call_all([("INFO", "cpu")])
        assert isinstance(told, bytes)
        values = dict(line.split(b":", 1) for line in told.split(b"\r\n") if b":" in line)
        return float(values[b"used_cpu_user"]) + float(values[b"used_cpu_sys"])

    def entry_bytes(self) -> float | None:
        """The memory of all lists of feeds, with their keys, divided by the ids in them; None where there are none."""
        entries = used = 0
        keys = list(self._keys(LISTS))
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            lengths = self.call_all([("LLEN", key) for key in some])
            sizes = self.call_all([("MEMORY", "USAGE", key, "SAMPLES", "0") for key in some])
            # the last entry of a list is its floor, not an id
            entries += sum(max(0, length - 1) for length in lengths if isinstance(length, int))
            used += sum(size for size in sizes if isinstance(size, int))
        return used / entries if entries else None

    def _keys(self, pattern: str) -> Iterator[bytes]:
        cursor = b"0"
        while True:
            (found,) = self.call_all([("SCAN", cursor, "MATCH", pattern, "COUNT", "1000")])
            assert isinstance(found, list) and isinstance(found[0], bytes) and isinstance(found[1], list)
            yield from (key for key in found[1] if isinstance(key, bytes))
            cursor = found[0]
            if cursor == b"0":
                return

    def _read(self) -> Reply:
        line = self._answers.readline()
        if not line.endswith(b"\r\n"):
            raise BenchFailed("Valkey has closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise BenchFailed(f"Valkey answered {rest.decode()}")
        if kind == b"+":
            return rest
        size = int(rest)
        if kind == b":":
            return size
        if size < 0:
            return None
        if kind == b"*":
            return [self._read() for _ in range(size)]
        return self._answers.read(size + 2)[:-2]


@contextmanager
def valkey_connection(url: str) -> Iterator[ValkeyConnection]:
    """A connection to the server of a `redis://` URL, or of a `unix://` one, during the block."""
    parts = urlsplit(url)
    connected = socket.socket(socket.AF_UNIX if parts.scheme == "unix" else socket.AF_INET)
    with connected:
        connected.settimeout(_TIMEOUT_S)
        connected.connect(parts.path if parts.scheme == "unix" else (parts.hostname or "127.0.0.1", parts.port or 6379))
        connection = ValkeyConnection(connected)
        if parts.password:
            connection.call_all([("AUTH", parts.password)])
        yield connection


def _encoded(words: Sequence[str | bytes]) -> bytes:
    raw = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(raw) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in raw)
