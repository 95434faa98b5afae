"""The rules of the official test suites of Engine.IO 4 and Socket.IO 5, tested on the server made for these suites."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from tests.kit.protocol_server import Layer, layer_server, listening
from tests.protocol.websocket_peer import FIN, REQUEST, TEXT, connected, frame

PING_INTERVAL_S, PING_TIMEOUT_S = 0.3, 0.2


class Suite:
    """A client of one layer's server, as simple as that of the suites."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def get(self, query: str) -> tuple[int, str]:
        async with self.http.get(self.url + query) as answer:
            return answer.status, await answer.text()

    async def send(self, query: str, body: str = "", *, method: str = "POST") -> tuple[int, str]:
        async with self.http.request(method, self.url + query, data=body) as answer:
            return answer.status, await answer.text()

    async def session(self) -> str:
        """The query of a new polling session."""
        status, body = await self.get("?EIO=4&transport=polling")
        assert status == 200
        return f"?EIO=4&transport=polling&sid={json.loads(body[1:])['sid']}"

    def websocket(self, query: str = "?EIO=4&transport=websocket") -> Any:
        return self.http.ws_connect(self.url + query)

    @asynccontextmanager
    async def connected(self, *namespaces: str) -> AsyncIterator[ClientWebSocketResponse]:
        """A WebSocket that has joined `/` and these namespaces, and has read the packets that follow."""
        async with self.websocket() as socket:
            await socket.receive_str()
            for namespace in ("", *namespaces):
                await socket.send_str(f"40{namespace}")
                await socket.receive_str()
                await socket.receive_str()
            yield socket


@asynccontextmanager
async def _suite(layer: Layer) -> AsyncIterator[Suite]:
    path = "engine.io" if layer == "engineio" else "socket.io"
    async with listening(layer_server(layer)) as port, ClientSession() as http:
        yield Suite(http, f"http://127.0.0.1:{port}/{path}/")


async def _ends(socket: ClientWebSocketResponse) -> None:
    while (await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED):
        pass


BOTH = pytest.mark.parametrize("layer", ["engineio", "socketio"])


# Handshake


@BOTH
async def test_polling_opens_a_session(layer: Layer) -> None:
    async with _suite(layer) as suite:
        status, body = await suite.get("?EIO=4&transport=polling")
        value = json.loads(body[1:])
        assert (status, body[:1], len(value.pop("sid")) > 0) == (200, "0", True)
        assert value == {"upgrades": ["websocket"], "pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}


@BOTH
async def test_a_websocket_opens_a_session(layer: Layer) -> None:
    async with _suite(layer) as suite, suite.websocket() as socket:
        value = json.loads((await socket.receive_str()).removeprefix("0"))
        assert value.keys() == {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
        assert value["upgrades"] == []


@BOTH
@pytest.mark.parametrize("query", ["?transport={}", "?EIO=abc&transport={}", "?EIO=4", "?EIO=4&transport=abc"], ids=str)
async def test_a_bad_query_opens_nothing(layer: Layer, query: str) -> None:
    async with _suite(layer) as suite:
        assert (await suite.get(query.format("polling")))[0] == 400
        with pytest.raises(WSServerHandshakeError):
            await suite.websocket(query.format("websocket"))


@BOTH
async def test_another_method_opens_nothing(layer: Layer) -> None:
    async with _suite(layer) as suite:
        for method in ("POST", "PUT"):
            assert (await suite.send("?EIO=4&transport=polling", method=method))[0] == 400


# Messages


@pytest.mark.parametrize("body", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="])
async def test_messages_of_a_payload_are_echoed_over_polling(body: str) -> None:
    async with _suite("engineio") as suite:
        query = await suite.session()
        assert await suite.send(query, body) == (200, "ok")
        assert await suite.get(query) == (200, body)


async def test_a_payload_that_is_none_closes_the_session() -> None:
    async with _suite("engineio") as suite:
        query = await suite.session()
        assert (await suite.send(query, "abc"))[0] == 400
        assert (await suite.get(query))[0] == 400


async def test_a_second_poll_closes_the_session() -> None:
    async with _suite("engineio") as suite:
        query = await suite.session()
        first = asyncio.create_task(suite.get(query))
        await asyncio.sleep(0.02)
        assert (await suite.get(query + "&t=burst"))[0] == 400
        assert await first == (200, "1")
        assert (await suite.get(query))[0] == 400


async def test_messages_are_echoed_over_a_websocket() -> None:
    async with _suite("engineio") as suite, suite.websocket() as socket:
        await socket.receive_str()
        await socket.send_str("4hello")
        assert await socket.receive_str() == "4hello"
        await socket.send_bytes(b"\1\2\3\4")
        assert await socket.receive_bytes() == b"\1\2\3\4"


async def test_a_packet_that_is_none_closes_the_websocket() -> None:
    async with _suite("engineio") as suite, suite.websocket() as socket:
        await socket.receive_str()
        await socket.send_str("abc")
        await _ends(socket)


# Heartbeat


@BOTH
async def test_pings_are_sent_over_polling(layer: Layer) -> None:
    async with _suite(layer) as suite:
        query = await suite.session()
        for _ in range(3):
            assert await suite.get(query) == (200, "2")
            assert await suite.send(query, "3") == (200, "ok")


@BOTH
async def test_a_silent_polling_session_is_closed_in_time(layer: Layer) -> None:
    async with _suite(layer) as suite:
        query = await suite.session()
        await asyncio.sleep(PING_INTERVAL_S + PING_TIMEOUT_S + 0.05)
        assert (await suite.get(query))[0] == 400


@BOTH
async def test_pings_are_sent_over_a_websocket(layer: Layer) -> None:
    async with _suite(layer) as suite, suite.websocket() as socket:
        await socket.receive_str()
        for _ in range(3):
            assert await socket.receive_str() == "2"
            await socket.send_str("3")


@BOTH
async def test_a_silent_websocket_is_closed(layer: Layer) -> None:
    async with _suite(layer) as suite, suite.websocket() as socket:
        await _ends(socket)


# Close and upgrade


@BOTH
async def test_a_close_packet_ends_a_polling_session(layer: Layer) -> None:
    async with _suite(layer) as suite:
        query = await suite.session()
        poll = asyncio.create_task(suite.get(query))
        await asyncio.sleep(0.02)
        await suite.send(query, "1")
        assert await poll == (200, "6")
        assert (await suite.get(query))[0] == 400


@BOTH
async def test_a_close_packet_ends_a_websocket(layer: Layer) -> None:
    async with _suite(layer) as suite, suite.websocket() as socket:
        await socket.receive_str()
        await socket.send_str("1")
        await _ends(socket)


@BOTH
async def test_a_polling_session_moves_to_a_websocket_and_stays_there(layer: Layer) -> None:
    async with _suite(layer) as suite:
        query = await suite.session()
        websocket_query = query.replace("polling", "websocket")
        async with suite.websocket(websocket_query) as socket:
            await socket.send_str("2probe")
            assert await socket.receive_str() == "3probe"
            assert await suite.get(query) == (200, "6")
            await socket.send_str("5")
            if layer == "engineio":
                await socket.send_str("4hello")
                assert await socket.receive_str() == "4hello"
            assert (await suite.get(query))[0] == 400
            async with suite.websocket(websocket_query) as second:
                await _ends(second)


@BOTH
async def test_a_probe_and_an_upgrade_may_come_in_one_segment(layer: Layer) -> None:
    async with _suite(layer) as suite:
        query = await suite.session()
        async with suite.websocket(query.replace("polling", "websocket")) as socket:
            await socket.send_str("2probe")
            await socket.send_str("5")
            assert (await suite.get(query))[0] == 400
            async with suite.websocket(query.replace("polling", "websocket")) as second:
                await _ends(second)


# Socket.IO


@pytest.mark.parametrize("namespace", ["", "/custom,"])
@pytest.mark.parametrize("auth", ["", '{"token":"123"}'])
async def test_a_namespace_is_joined(namespace: str, auth: str) -> None:
    async with _suite("socketio") as suite, suite.websocket() as socket:
        await socket.receive_str()
        await socket.send_str(f"40{namespace}{auth}")
        answer = await socket.receive_str()
        assert json.loads(answer.removeprefix(f"40{namespace}")).keys() == {"sid"}
        assert await socket.receive_str() == f'42{namespace}["auth",{auth or "{}"}]'


async def test_the_auth_comes_in_a_read_of_its_own() -> None:
    async with listening(layer_server("socketio")) as port, connected(port) as client:
        await client.send(REQUEST.replace(b"/any/path", b"/socket.io/?EIO=4&transport=websocket"))
        await client.head()
        await client.receive()
        await client.send(frame(FIN | TEXT, b"40"))
        assert (await client.read())[2:].startswith(b'40{"sid":')
        assert (await client.read())[2:] == b'42["auth",{}]'


async def test_an_unknown_namespace_is_refused() -> None:
    async with _suite("socketio") as suite, suite.websocket() as socket:
        await socket.receive_str()
        await socket.send_str("40/random")
        assert await socket.receive_str() == '44/random,{"message":"Invalid namespace"}'


async def test_leaving_the_main_namespace_keeps_the_connection() -> None:
    async with _suite("socketio") as suite, suite.connected() as socket:
        await socket.send_str("41")
        assert await socket.receive_str() == "2"


async def test_leaving_a_namespace_keeps_the_others() -> None:
    async with _suite("socketio") as suite, suite.connected("/custom") as socket:
        await socket.send_str("41/custom")
        await socket.send_str('42["message","message to main namespace"]')
        assert await socket.receive_str() == '42["message-back","message to main namespace"]'


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ('42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'),
        ('42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'),
    ],
)
async def test_an_event_comes_back_with_its_arguments(sent: str, answer: str) -> None:
    async with _suite("socketio") as suite, suite.connected() as socket:
        await socket.send_str(sent)
        assert await socket.receive_str() == answer


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ('452-["message",{},{}]', '452-["message-back",{},{}]'),
        ('452-789["message-with-ack",{},{}]', "462-789[{},{}]"),
    ],
)
async def test_an_event_comes_back_with_its_attachments(sent: str, answer: str) -> None:
    def placed(text: str) -> str:
        for number in range(2):
            text = text.replace("{}", f'{{"_placeholder":true,"num":{number}}}', 1)
        return text

    async with _suite("socketio") as suite, suite.connected() as socket:
        await socket.send_str(placed(sent))
        await socket.send_bytes(b"\1\2\3")
        await socket.send_bytes(b"\4\5\6")
        assert await socket.receive_str() == placed(answer)
        assert [await socket.receive_bytes() for _ in range(2)] == [b"\1\2\3", b"\4\5\6"]


@pytest.mark.parametrize("sent", ["4abc", "42{}", '42abc["message-with-ack",1]', "42[]", "7"])
async def test_a_malformed_packet_closes_the_connection(sent: str) -> None:
    async with _suite("socketio") as suite, suite.connected() as socket:
        await socket.send_str(sent)
        assert (await socket.receive()).type is WSMsgType.CLOSE
