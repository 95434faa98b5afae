"""A real server on a real port, and its users."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import orjson

from handlers.feature import Feature
from server.composition.node import Node
from server.config import Settings, load_settings
from server.features import FEATURES
from tests.kit.device import Device

PASSWORD = "a long enough passphrase"
TOKEN_SECRETS = "test:" + "s" * 40
NAMESPACES = ("/users", "/posts", "/feed", "/chat")


def settings_for_tests(database_url: str, redis_url: str, **overrides: object) -> Settings:
    """Settings with any free port of this machine, quick hashes, and rate limits too high to matter."""
    defaults: dict[str, object] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "host": "127.0.0.1",
        "port": 0,
        "pool_max": 8,
        "password_hash_memory_kib": 8,
        "rate_limit_factor": 10_000,
        "token_secrets": TOKEN_SECRETS,
    }
    return load_settings(**{**defaults, **overrides})


class Person:
    """A user with an account. `user` is the answer to registering; calls go over one socket of all namespaces."""

    def __init__(self, server: RunningServer, session: dict[str, Any], password: str) -> None:
        self._server = server
        self._device: Device | None = None
        self.user: dict[str, Any] = session["user"]
        self.id: str = session["user"]["id"]
        self.username: str = session["user"]["username"]
        self.password = password
        self.access_token: str = session["access_token"]
        self.refresh_token: str = session["refresh_token"]

    async def device(
        self, *, transports: Sequence[str] = ("websocket",), namespaces: Sequence[str] = NAMESPACES
    ) -> Device:
        """Opens another connection, which is closed with the server."""
        return await self._server.device(self.access_token, transports=transports, namespaces=namespaces)

    async def main_device(self) -> Device:
        """The connection that `call` and `do` use, opened on first use."""
        if self._device is None:
            self._device = await self.device()
        return self._device

    async def call(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        return await (await self.main_device()).call(namespace, name, payload)

    async def do(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        return await (await self.main_device()).do(namespace, name, payload)

    async def expect_push(self, name: str, *, timeout_s: float = 10.0) -> Any:
        return await (await self.main_device()).expect_push(name, timeout_s=timeout_s)

    async def expect_silence(self, name: str, *, within_s: float = 0.3) -> None:
        await (await self.main_device()).expect_silence(name, within_s=within_s)

    async def rest(
        self, method: str, path: str, json: object = None, *, query: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer of a REST call below `/v1`, with this person's token."""
        return await self._server.rest(method, path, json, query=query, token=self.access_token)


class RunningServer:
    """A node in this process. Everything opened through it is closed with it."""

    def __init__(self, node: Node, settings: Settings, http: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.node = node
        self.settings = settings
        self.url = f"http://127.0.0.1:{node.port}"
        self.http = http
        self._stack = stack

    async def person(self, username: str, *, password: str = PASSWORD, **fields: object) -> Person:
        """Registers a user."""
        payload = {"username": username, "password": password, "email": f"{username}@example.org", **fields}
        status, answer = await self.rest("POST", "/auth/register", payload)
        assert status == 201, answer
        return Person(self, answer["data"], password)

    async def people(self, *usernames: str) -> list[Person]:
        return [await self.person(username) for username in usernames]

    async def device(
        self,
        token: str | None,
        *,
        namespaces: Sequence[str] = NAMESPACES,
        transports: Sequence[str] = ("websocket",),
        **auth: object,
    ) -> Device:
        device = Device()
        self._stack.push_async_callback(device.close)
        await device.connect(
            self.url, {**({} if token is None else {"token": token}), **auth}, namespaces, transports=transports
        )
        return device

    async def rest(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        query: dict[str, str] | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer of a REST call below `/v1`."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        body = None if json is None else orjson.dumps(json)
        async with self.http.request(method, f"{self.url}/v1{path}", data=body, params=query, headers=sent) as response:
            answer = orjson.loads(await response.read())
            return response.status, answer


@asynccontextmanager
async def running_server(
    settings: Settings, *, work: bool = True, features: Sequence[Feature] = FEATURES
) -> AsyncIterator[RunningServer]:
    """Starts a node that serves, and consumes Facts if `work`; stops it and closes all that was opened through it."""
    node = Node(settings, serve=True, work=work, features=features)
    await node.start()
    try:
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            yield RunningServer(node, settings, http, stack)
    finally:
        await node.stop()
