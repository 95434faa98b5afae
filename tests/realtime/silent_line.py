"""A proxy to Valkey whose connections can fall silent without being closed, as in a lost network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit


class SilentLine:
    """Forwards connections to a server; those that are open when it falls silent stay open and forward nothing more.

    `accepted` counts its connections.
    """

    def __init__(self, server_path: str, path: Path) -> None:
        self.url = f"unix://{path}"
        self._server_path = server_path
        self._silenced: set[asyncio.StreamWriter] = set()
        self._is_silent = False
        self.accepted = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()

    def fall_silent(self, *, for_good: bool = False) -> None:
        """`for_good`: connections that are opened later forward nothing either, until `speak`."""
        self._silenced |= self._open
        self._is_silent = for_good

    def speak(self) -> None:
        """Connections that are opened from now on forward again."""
        self._is_silent = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        server_reader, server_writer = await asyncio.open_unix_connection(self._server_path)
        self._open |= {writer, server_writer}
        if self._is_silent:
            self._silenced |= {writer, server_writer}
        for source, target in ((reader, server_writer), (server_reader, writer)):
            carrying = asyncio.create_task(self._carry(source, target))
            self._carrying.add(carrying)

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65_536):
            if target not in self._silenced:
                target.write(chunk)

    async def close(self) -> None:
        for carrying in self._carrying:
            carrying.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        for writer in self._open:
            writer.transport.abort()


@asynccontextmanager
async def silent_line(server_url: str, path: Path) -> AsyncIterator[SilentLine]:
    line = SilentLine(urlsplit(server_url).path, path)
    async with await asyncio.start_unix_server(line.accept, path):
        try:
            yield line
        finally:
            await line.close()
