"""Connections are forgotten when they have ended, whatever the policy does."""

import asyncio

import pytest

from realtime.contract.errors import CLOSE_FLOOD
from realtime.engine.session.session import Session
from tests.protocol.echo_server import EchoPolicy, EchoServer, echo_server
from tests.protocol.raw_client import raw_polling, raw_socket


async def _forgotten(server: EchoServer) -> None:
    while server.hub.connection_count() or server.engine._connections.all():
        await asyncio.sleep(0.001)


async def test_a_closed_websocket_connection_is_removed() -> None:
    async with echo_server() as server:
        async with raw_socket(server) as client:
            await client.connect()
            await client.ask('42/chat,1["join","hall"]')
            assert (server.hub.connection_count(), len(server.hub.sessions("/chat"))) == (1, 1)
        await _forgotten(server)
        assert (server.hub.sessions("/chat"), server.hub.has_members("hall")) == ((), False)


async def test_a_closed_polling_connection_is_removed_when_its_client_was_told() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        server.policy.sessions[0].connection.close(CLOSE_FLOOD)
        await server.policy.until_gone()
        assert server.hub.connection_count() == 0
        assert await client.packets() == ["1"]
        await _forgotten(server)


async def test_a_closed_polling_connection_is_removed_after_a_while() -> None:
    async with echo_server(ping_interval_ms=10, ping_timeout_ms=10) as server, raw_polling(server):
        await _forgotten(server)


async def test_a_session_leaves_its_rooms_even_if_the_policy_fails_to_forget_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(policy: EchoPolicy, session: Session, reason: str) -> None:
        raise RuntimeError("disconnected fails")

    monkeypatch.setattr(EchoPolicy, "disconnected", fail)
    async with echo_server() as server:
        async with raw_socket(server) as client:
            await client.connect()
            await client.ask('42/chat,1["join","hall"]')
        await _forgotten(server)
        assert not server.hub.has_members("hall")
    assert "disconnected fails" in caplog.text


async def test_an_idle_websocket_costs_no_task_of_the_engine() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        assert server.engine._connections.tasks() == set()
