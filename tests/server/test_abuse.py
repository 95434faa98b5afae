"""A client that floods the server is refused or closed with a code, and other clients are served."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from server.transports.sockets import HANDSHAKES, JOINS, REFUSALS
from tests.kit.server import RunningServer, running_server, settings_for_tests

ENGINE = "/socket.io/?EIO=4&transport="
FRIEND = "https://friend.example"
STRANGER = "https://stranger.example"
FLOOD = 4029
FEW_S = 20.0


async def handshake(server: RunningServer, transport: str = "polling", **headers: str) -> int:
    """The HTTP status of the answer."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if transport == "polling":
        async with server.http.get(f"{server.url}{ENGINE}polling", headers=sent) as response:
            return response.status
    try:
        async with server.http.ws_connect(f"{server.url}{ENGINE}websocket", headers=sent):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def closed_with(websocket: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code with which the server closes."""
    while True:
        message = await websocket.receive(timeout=FEW_S)
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING):
            return websocket.close_code


async def is_served(server: RunningServer, name: str) -> bool:
    person = await server.person(name)
    answer: dict[str, Any] = await person.call("/users", "user:me")
    return bool(answer["ok"])


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_flood_of_handshakes_is_counted_by_the_client_s_address_behind_a_proxy(
    database_url: str, redis_url: str, transport: str
) -> None:
    settings = settings_for_tests(
        database_url, redis_url, rate_limit_factor=3 / HANDSHAKES.count, trusted_proxies="127.0.0.1/32"
    )
    async with running_server(settings) as server:
        refused = [await handshake(server, transport, X_Forwarded_For="203.0.113.7") for _ in range(5)]
        assert refused[3:] == [429, 429] and 429 not in refused[:3]
        # What a client writes into the header itself stands before what the proxy adds.
        assert await handshake(server, transport, X_Forwarded_For="198.51.100.1, 203.0.113.7") == 429
        assert await handshake(server, transport, X_Forwarded_For="203.0.113.9") != 429


async def test_a_client_that_is_no_trusted_proxy_cannot_forge_addresses(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(
        database_url, redis_url, rate_limit_factor=3 / HANDSHAKES.count, trusted_proxies="10.0.0.0/8"
    )
    async with running_server(settings) as server:
        answers = [await handshake(server, X_Forwarded_For=f"203.0.113.{number}") for number in range(5)]
        assert answers == [200, 200, 200, 429, 429]


async def test_a_loop_of_connects_is_closed_as_a_flood(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=1.0)
    async with running_server(settings) as server:
        person = await server.person("abuse.joins")
        async with server.http.ws_connect(f"{server.url}{ENGINE}websocket") as websocket:
            for _ in range(JOINS.count + 1):
                await websocket.send_str(f'40/users,{{"token":"{person.access_token}"}}')
                await websocket.send_str("41/users,")
            assert await closed_with(websocket) == FLOOD
        assert await is_served(server, "abuse.joins.other")


async def test_a_loop_of_refused_connects_is_closed_as_a_flood(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=1.0)
    async with running_server(settings) as server:
        async with server.http.ws_connect(f"{server.url}{ENGINE}websocket") as websocket:
            for _ in range(JOINS.count + 1):
                await websocket.send_str('40/users,{"token":"wrong"}')
            assert await closed_with(websocket) == FLOOD
        assert await is_served(server, "abuse.refused.other")


async def test_all_namespaces_may_be_joined_and_joined_again(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=1.0)
    async with running_server(settings) as server:
        person = await server.person("abuse.polite")
        namespaces = server.node.registry.namespaces
        async with server.http.ws_connect(f"{server.url}{ENGINE}websocket") as websocket:
            await websocket.receive_str(timeout=FEW_S)
            for _ in range(5):
                for namespace in namespaces:
                    await websocket.send_str(f'40{namespace},{{"token":"{person.access_token}"}}')
                    assert (await websocket.receive_str(timeout=FEW_S)).startswith(f"40{namespace},")
                for namespace in namespaces:
                    await websocket.send_str(f"41{namespace},")


async def test_a_client_that_ignores_rate_limited_is_closed(database_url: str, redis_url: str) -> None:
    factor = 0.3
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=factor)
    async with running_server(settings) as server:
        person = await server.person("abuse.calls")
        async with server.http.ws_connect(f"{server.url}{ENGINE}websocket") as websocket:
            await websocket.send_str(f'40/users,{{"token":"{person.access_token}"}}')
            for number in range(round(600 * factor) + REFUSALS.count + 50):
                await websocket.send_str(f'42/users,{number}["user:me",{{}}]')
            assert await closed_with(websocket) == FLOOD
        assert await is_served(server, "abuse.calls.other")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_only_pages_on_the_list_open_sockets_and_programs_without_an_origin(
    database_url: str, redis_url: str, transport: str
) -> None:
    settings = settings_for_tests(database_url, redis_url, allowed_origins=(FRIEND,))
    async with running_server(settings) as server:
        taken = 200 if transport == "polling" else 101
        own = f"http://127.0.0.1:{server.node.port}"
        assert await handshake(server, transport) == taken
        assert await handshake(server, transport, Origin=FRIEND) == taken
        assert await handshake(server, transport, Origin=own) == taken
        for origin in (STRANGER, "null", "", f"{FRIEND}.evil.example", FRIEND.replace("https", "http"), f"{own}0"):
            assert await handshake(server, transport, Origin=origin) == 403, origin
        # Nobody is asked to believe whoever says what this host is called.
        assert await handshake(server, transport, Origin=STRANGER, X_Forwarded_Host="stranger.example") == 403
