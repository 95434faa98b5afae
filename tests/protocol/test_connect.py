"""How namespace sessions are opened, refused and ended."""

import asyncio
import json

from aiohttp import WSMsgType

from realtime.contract.errors import CLOSE_FLOOD
from tests.protocol.dialect import BOTH, Dialect
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import raw_polling, raw_socket

PROTOCOL_ERROR = (4009, "protocol_error")


@BOTH
async def test_a_session_has_an_id_of_its_own(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        assert await client.connect() not in ("", client.opened["sid"])


@BOTH
async def test_the_root_namespace_is_written_without_its_name(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        assert (await client.ask("40")).startswith('40{"sid":')


@BOTH
async def test_one_connection_carries_several_namespaces(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        assert await client.connect("/chat") != await client.connect("/feed")
        assert set(server.policy.sessions[0].connection.sessions) == {"/chat", "/feed"}


@BOTH
async def test_an_unknown_namespace_is_refused_by_name(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        assert await client.ask("40/random,") == '44/random,{"message":"Invalid namespace"}'


@BOTH
async def test_after_an_unknown_namespace_the_connection_is_usable(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.ask("40/random,")
        await client.connect()


@BOTH
async def test_too_many_connects_to_unknown_namespaces_are_a_flood(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        for number in range(100):
            assert (await client.ask(f"40/{number},")).startswith(f"44/{number},")
        await client.send("40/one more,")
        assert await client.closed() == (4029, "flood")


@BOTH
async def test_a_refused_connect_tells_code_and_message(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        answer = await client.ask('40/chat,{"refuse":true}')
        assert json.loads(answer.removeprefix("44/chat,")) == {
            "message": "Log in first.",
            "data": {"code": "unauthenticated", "message": "Log in first."},
        }


@BOTH
async def test_a_refused_session_is_never_reported_as_disconnected(dialect: Dialect) -> None:
    async with echo_server() as server:
        async with raw_socket(server, dialect) as client:
            await client.connect("/feed")
            await client.ask('40/chat,{"refuse":true}')
        assert await server.policy.until_gone() == [("/feed", "transport close")]


@BOTH
async def test_a_connect_that_fails_is_answered_with_an_id_of_the_log(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        answer = json.loads((await client.ask('40/chat,{"fail":true}')).removeprefix("44/chat,"))
        assert answer["data"]["code"] == "internal"


@BOTH
async def test_a_push_during_connect_comes_after_its_answer(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect(auth='{"early":true}')
        assert await client.receive() == '42/chat,["early","push"]'


@BOTH
async def test_a_push_during_a_refused_connect_is_never_sent(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        assert (await client.ask('40/chat,{"early":true,"refuse":true}')).startswith("44/chat,")
        assert await client.ask("40/random,") == '44/random,{"message":"Invalid namespace"}'


@BOTH
async def test_a_second_connect_to_the_same_namespace_closes_the_connection(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        await client.send("40/chat,")
        assert await client.closed() == PROTOCOL_ERROR


@BOTH
async def test_a_client_may_leave_a_namespace_and_come_back(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        first = await client.connect()
        await client.send("41/chat,")
        assert await client.connect() != first
        assert server.policy.gone == [("/chat", "client namespace disconnect")]


@BOTH
async def test_leaving_one_namespace_keeps_the_others(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect("/feed")
        await client.connect("/chat")
        await client.send("41/chat,")
        assert await client.ask('42/feed,1["echo","x"]') == '43/feed,1["x"]'


@BOTH
async def test_a_connection_without_a_session_is_closed_after_a_while(dialect: Dialect) -> None:
    async with echo_server(connect_timeout_ms=30) as server, raw_socket(server, dialect) as client:
        assert await client.closed() == PROTOCOL_ERROR


@BOTH
async def test_a_polling_connection_without_a_session_is_closed_too(dialect: Dialect) -> None:
    async with echo_server(connect_timeout_ms=30) as server, raw_polling(server, dialect) as client:
        assert await client.packets() == ["1"]


@BOTH
async def test_a_connection_with_a_session_is_not_closed_by_that(dialect: Dialect) -> None:
    async with echo_server(connect_timeout_ms=30) as server, raw_socket(server, dialect) as client:
        await client.connect()
        await asyncio.sleep(0.08)
        assert await client.ask('42/chat,1["echo","x"]') == '43/chat,1["x"]'


@BOTH
async def test_the_server_ends_a_session_with_a_packet_after_its_pushes(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        await client.send('42/chat,1["kick","x"]')
        assert [await client.receive() for _ in range(3)] == [
            '42/chat,["pushed","last words"]',
            '43/chat,1["x"]',
            "41/chat,",
        ]
        assert await server.policy.until_gone() == [("/chat", "server namespace disconnect")]


@BOTH
async def test_events_that_crossed_the_server_s_disconnect_are_ignored(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect("/feed")
        await client.connect("/chat")
        server.policy.sessions[1].disconnect()
        assert await client.receive() == "41/chat,"
        await client.send('42/chat,1["echo","late"]')
        assert await client.ask('42/feed,2["echo","x"]') == '43/feed,2["x"]'


@BOTH
async def test_a_session_ended_by_the_server_may_connect_again(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        server.policy.sessions[0].disconnect()
        assert await client.receive() == "41/chat,"
        await client.connect()


@BOTH
async def test_a_connect_during_which_the_connection_closes_is_not_answered(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.send('40/chat,{"close":true}')
        message = await client.websocket.receive()
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4029)
        assert await server.policy.until_gone() == [("/chat", "flood")]


@BOTH
async def test_a_close_tells_code_and_reason(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        server.policy.sessions[0].connection.close(CLOSE_FLOOD)
        assert await client.closed() == (4029, "flood")


@BOTH
async def test_a_close_ends_every_session_once(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect("/chat")
        await client.connect("/feed")
        connection = server.policy.sessions[0].connection
        connection.close(CLOSE_FLOOD)
        connection.close(CLOSE_FLOOD)
        await client.closed()
        assert await server.policy.until_gone(2) == [("/chat", "flood"), ("/feed", "flood")]


@BOTH
async def test_the_event_that_closes_the_connection_is_answered_first(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        assert await client.ask('42/chat,1["close","x"]', '42/chat,2["echo","never"]') == '43/chat,1["x"]'
        assert await client.closed() == (4029, "flood")
        assert server.policy.seen == ["x"]
