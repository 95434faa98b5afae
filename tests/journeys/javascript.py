"""Devices with the official JavaScript client, all in one Node process."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import orjson
import pytest

from tests.kit.hearing import PUSH_TIMEOUT_S, Hearing

FOLDER = Path(__file__).parents[1] / "js"
_LINE_BYTES_MAX = 16 * 1024 * 1024


class JavaScriptError(Exception):
    """An error that the JavaScript client threw."""


class Hearer(Protocol):
    async def hear(self, line: Mapping[str, Any]) -> None:
        """Processes a line of the Node process about this device."""


class JavaScriptDevice(Hearing):
    """One connection, with the interface of the Python device."""

    def __init__(self, node: JavaScript, number: int) -> None:
        super().__init__()
        self._node = node
        self._number = number
        self._ended = asyncio.Event()

    async def connect(
        self,
        url: str,
        auth: Mapping[str, object],
        namespaces: Sequence[str],
        *,
        transports: Sequence[str] = ("websocket",),
    ) -> None:
        """Raises JavaScriptError when a namespace is refused."""
        await self._node.ask(
            "connect",
            device=self._number,
            url=url,
            auth=dict(auth),
            namespaces=list(namespaces),
            transports=list(transports),
        )

    @property
    def connected(self) -> bool:
        return not self._ended.is_set()

    async def call(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        data = {} if payload is None else payload
        answer = await self._node.ask("call", device=self._number, namespace=namespace, name=name, payload=data)
        assert isinstance(answer, dict), f"{name} answered {answer!r}"
        return answer

    async def expect_closed(self, *, timeout_s: float = PUSH_TIMEOUT_S) -> None:
        """Waits until the connection has ended."""
        async with asyncio.timeout(timeout_s):
            await self._ended.wait()

    async def close(self) -> None:
        if self.connected:
            await self._node.ask("close", device=self._number)
            await self.expect_closed()

    async def hear(self, line: Mapping[str, Any]) -> None:
        """Processes a line of the Node process about this device."""
        if "closed" in line:
            self._ended.set()
        else:
            await self._hear(line["namespace"], line["push"], line["data"])


class JavaScript:
    """The Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._devices: list[Hearer] = []

    def device(self) -> JavaScriptDevice:
        """A device that is not connected yet."""
        device = JavaScriptDevice(self, len(self._devices))
        self.add(device)
        return device

    def add(self, device: Hearer) -> int:
        """Registers a device for the process's lines about it; returns its number."""
        self._devices.append(device)
        return len(self._devices) - 1

    async def ask(self, verb: str, **arguments: object) -> Any:
        """Raises JavaScriptError."""
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        self._stdin.write(orjson.dumps({"id": number, "verb": verb, **arguments}) + b"\n")
        await self._stdin.drain()
        return await answer

    async def listen(self) -> None:
        """Processes the output of the process until it ends."""
        while line := await self._stdout.readline():
            told = orjson.loads(line)
            if "answer" not in told:
                await self._devices[told["device"]].hear(told)
                continue
            answer = self._asked.pop(told["answer"])
            if answer.done():
                continue  # the caller was cancelled
            if "error" in told:
                answer.set_exception(JavaScriptError(told["error"]))
            else:
                answer.set_result(told["value"])
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(JavaScriptError("the Node process has ended"))


def node_with_packages() -> str:
    """The path of Node; fails the test where the packages of the folder are not installed."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "socket.io-client").exists():
        pytest.fail("the JavaScript client is missing: ./run test installs it (or `npm ci` in tests/js)")
    return node


@asynccontextmanager
async def javascript(script: str = "devices.mjs") -> AsyncIterator[JavaScript]:
    """Runs a Node process during the block; output on its standard error fails the test."""
    process = await asyncio.create_subprocess_exec(
        node_with_packages(),
        str(FOLDER / script),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LINE_BYTES_MAX,
    )
    assert process.stdin is not None and process.stderr is not None
    clients = JavaScript(process)
    listening = asyncio.create_task(clients.listen())
    complaining = asyncio.create_task(process.stderr.read())
    try:
        yield clients
    finally:
        process.stdin.close()
        await asyncio.gather(listening, process.wait())
        complaints = (await complaining).decode()
    assert not complaints, complaints
    assert process.returncode == 0
