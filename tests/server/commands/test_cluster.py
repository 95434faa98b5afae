"""A whole cluster behind nginx, in processes of their own, as people meet it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import socketio

from server.commands.cluster import _free_ports
from server.config import Settings
from server.dev.embedded_binaries import EmbeddedError
from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey
from server.dev.nginx import nginx_binary
from tests.kit.server import PASSWORD

CHECKOUT = Path(__file__).parents[3]
TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])

try:
    nginx_binary()
except EmbeddedError as missing:
    pytestmark = pytest.mark.skip(reason=str(missing))


class Cluster:
    def __init__(self, process: asyncio.subprocess.Process, box: str) -> None:
        self.process = process
        self.url = found(r"Open +(http://\S+?)/ ", box)
        self.nodes = {name: int(pid) for name, pid in re.findall(r"Node (n\d) .* pid (\d+)", box)}
        self.workers = [int(pid) for pid in re.findall(r"Worker w\d+ +pid (\d+)", box)]


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, text
    return match.group(1)


async def start_cluster(data: Path, nodes: int) -> Cluster:
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "cluster", "--nodes", str(nodes), "--port", "0",
        cwd=CHECKOUT,
        env=kept | {"ENV_FILE": os.devnull, "DATA_DIR": str(data)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # As a shell without job control does for what it puts into the background.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN),
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    box = ""
    try:
        while "└" not in box:
            line = await process.stdout.readline()
            assert line, (await process.stderr.read()).decode()
            box += line.decode()
    except BaseException:
        process.kill()
        await process.communicate()
        raise
    return Cluster(process, box)


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    data = tmp_path / "data"
    running = await start_cluster(data, 3)
    try:
        yield running
    finally:
        if running.process.returncode is None:
            running.process.send_signal(signal.SIGINT)
        _, told = await running.process.communicate()
    assert running.process.returncode == 0, told.decode()
    assert told.decode().splitlines()[-1] == "rookery: stopped"
    assert not EmbeddedPostgres(data).running()
    assert not any(map(is_alive, running.nodes.values()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children")
async def test_no_process_survives_when_the_command_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    running = await start_cluster(data, 1)
    try:
        pids = [*running.nodes.values(), *running.workers, int((data / "cluster" / "nginx.pid").read_text())]
        assert len(pids) > 2 and all(map(is_alive, pids))
        running.process.kill()
        await running.process.communicate()
        await until(lambda: not any(map(is_alive, pids)))
    finally:
        # These outlive any command that is killed: the next one finds them.
        EmbeddedValkey(data).stop()
        EmbeddedPostgres(data).stop()


class Client:
    """An official client that comes back by itself, and reads what it missed when it does."""

    def __init__(self, url: str, token: str, transports: list[str]) -> None:
        self.transports = transports
        self.heard: list[str] = []
        self.nodes: list[str] = []
        self._url = url
        self._token = token

    async def connect(self) -> None:
        self.socket = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5)
        self.socket.on("message:created", self._hear, namespace="/chat")
        self.socket.on("connect", self._connected, namespace="/chat")
        await self.socket.connect(
            self._url,
            auth={"token": self._token},
            namespaces=["/chat"],
            transports=self.transports,
            wait_timeout=20,
        )
        self._loops = [self.socket.eio.read_loop_task, self.socket.eio.write_loop_task]

    async def connect_anew(self) -> None:
        """The Python client does not reconnect by itself after a close packet, which ends polling connections."""
        await until(lambda: not self.socket.connected)
        for loop in self._loops:  # they would stay for a quarter of a minute
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.connect()

    async def close(self) -> None:
        await self.socket.shutdown()

    async def _hear(self, data: dict[str, Any]) -> None:
        self.heard.append(data["message"]["text"])

    async def _connected(self) -> None:
        self.nodes.append(str(self.socket.eio.sid).partition("-")[0])


async def rest(http: aiohttp.ClientSession, url: str, path: str, body: object, token: str = "") -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.post(f"{url}/v1{path}", json=body, headers=headers) as response:
        answer = await response.json()
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data


@pytest.mark.timeout(150)
async def test_twelve_clients_of_all_transports_outlive_a_killed_and_a_stopped_node(cluster: Cluster) -> None:
    assert list(cluster.nodes) == ["n1", "n2", "n3"]
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        people = [
            await rest(
                http,
                cluster.url,
                "/auth/register",
                {"username": name, "password": PASSWORD, "email": f"{name}@example.org"},
            )
            for name in ("cluster_ada", "cluster_bea")
        ]
        tokens = [person["access_token"] for person in people]
        opened = await rest(http, cluster.url, "/conversations", {"user_id": people[1]["user"]["id"]}, tokens[0])
        path = f"/conversations/{opened['conversation']['id']}/messages"
        clients = [Client(cluster.url, tokens[number % 2], TRANSPORTS[number % 3]) for number in range(12)]
        for client in clients:
            await client.connect()
            stack.push_async_callback(client.close)
        await until(lambda: all(client.nodes for client in clients))
        used = {client.nodes[0] for client in clients}
        assert used == {"n1", "n2", "n3"}, "the load is not spread"
        await rest(http, cluster.url, path, {"text": "before"}, tokens[0])
        await until(lambda: all(client.heard == ["before"] for client in clients))

        os.kill(cluster.nodes["n2"], signal.SIGKILL)
        orphans = [client for client in clients if client.nodes[0] == "n2"]
        await until(lambda: all(len(client.nodes) == 2 for client in orphans), within_s=60)
        assert all(client.nodes[1] in ("n1", "n3") for client in orphans)
        assert all(len(client.nodes) == 1 for client in clients if client not in orphans)
        for number in range(6):  # none of these meets the dead node
            await rest(http, cluster.url, path, {"text": f"after {number}"}, tokens[0])
        await until(lambda: all(client.heard[-1] == "after 5" for client in clients))

        async with http.get(f"{cluster.url}/v1/events", headers={"Authorization": f"Bearer {tokens[1]}"}) as response:
            cursor = (await response.json())["data"]["cursor"]
        assert cursor.startswith(("n1-", "n3-"))
        await rest(http, cluster.url, path, {"text": "polled"}, tokens[0])
        events = await poll(http, cluster.url, cursor, tokens[1])
        assert [event["data"]["message"]["text"] for event in events] == ["polled"]

        # One that drains answers 503 for a while: nobody is led there.
        counts = [len(client.nodes) for client in clients]
        leaving = [client for client in clients if client.nodes[-1] == "n3"]
        os.kill(cluster.nodes["n3"], signal.SIGTERM)
        for client in leaving:
            if client.transports == ["polling"]:
                await client.connect_anew()
        await until(lambda: all(client.nodes[-1] == "n1" for client in clients), within_s=60)
        assert [len(client.nodes) for client in clients] == [
            count + (client in leaving) for count, client in zip(counts, clients, strict=True)
        ]
        await rest(http, cluster.url, path, {"text": "alone"}, tokens[0])
        await until(lambda: all(client.heard[-1] == "alone" for client in clients))


async def poll(http: aiohttp.ClientSession, url: str, cursor: str, token: str) -> list[dict[str, Any]]:
    async with http.get(
        f"{url}/v1/events", params={"cursor": cursor}, headers={"Authorization": f"Bearer {token}"}
    ) as response:
        data = (await response.json())["data"]
        assert "resync" not in data, "the cursor led to another node"
        events: list[dict[str, Any]] = data["events"]
        return events


async def until(condition: Any, *, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.05)


def test_ports_are_consecutive_where_they_are_free() -> None:
    first, *_ = ports = _free_ports(0, 4)
    assert len(set(ports)) == 4 and all(ports)
    assert _free_ports(first, 1) == [first]
    assert len(set(_free_ports(65_535, 3))) == 3
