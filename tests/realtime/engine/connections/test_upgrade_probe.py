"""What becomes of a polling client whose try of a WebSocket goes wrong; tests/protocol/test_upgrade.py has the rest."""

import asyncio

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType

from realtime.contract.errors import CLOSE_FLOOD
from realtime.engine.connections import upgrade_probe as probe
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import RawPolling, raw_polling


async def _still_polls(client: RawPolling) -> None:
    await client.post('42/chat,1["echo","x"]')
    assert await client.packets() == ['43/chat,1["x"]']


async def _ended(websocket: ClientWebSocketResponse) -> None:
    assert (await websocket.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)


async def test_a_probe_without_an_upgrade_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_TIMEOUT_S", 0.02)
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            await _ended(websocket)
        await _still_polls(client)


@pytest.mark.parametrize("message", ["5", "2", "2probe more", "40/chat,"])
async def test_anything_but_a_probe_cancels_the_upgrade(message: str) -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            await websocket.send_str(message)
            await _ended(websocket)
        await _still_polls(client)


async def test_a_binary_probe_cancels_the_upgrade() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            await websocket.send_bytes(b"2probe")
            await _ended(websocket)
        await _still_polls(client)


async def test_a_broken_frame_fails_the_probe_alone() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            websocket._writer.transport.write(b"\xff")
            message = await websocket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1002)
        await _still_polls(client)


async def test_a_second_probe_beside_the_first_is_closed() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            async with client.http.ws_connect(client.websocket_url) as second:
                await second.send_str("2probe")
                await _ended(second)
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"


async def test_a_probe_ends_with_its_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            server.policy.sessions[0].connection.close(CLOSE_FLOOD)
            await _ended(websocket)
        assert await client.packets() == ["1"]


async def test_what_follows_the_upgrade_in_the_same_segment_is_handled() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        async with client.http.ws_connect(client.websocket_url) as websocket:
            for text in ("2probe", "5", '42/chat,1["echo","x"]'):
                await websocket.send_str(text)
            assert [await websocket.receive_str() for _ in range(2)] == ["3probe", '43/chat,1["x"]']
            await asyncio.sleep(0)
            assert server.policy.sessions[0].connection.transport == "websocket"
