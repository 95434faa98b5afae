"""The long-polling transport as the Engine.IO protocol describes it."""

import asyncio
import contextlib
import gzip

import pytest
from aiohttp import ClientTimeout

from tests.protocol.dialect import BOTH, Dialect
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import QUERY, RawPolling, raw_http, raw_polling


def _post_head(client: RawPolling, *headers: str) -> bytes:
    lines = [f"POST {QUERY}polling&sid={client.sid} HTTP/1.1", "Host: x", "Connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@BOTH
async def test_several_packets_in_one_body_are_handled_in_order(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,1["echo","a"]', '42/chat,2["echo","b"]')
        assert await client.gather(2) == ['43/chat,1["a"]', '43/chat,2["b"]']


@BOTH
async def test_any_number_of_packets_in_one_body_is_accepted(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post(*[f'42/chat,{number}["echo",{number}]' for number in range(500)])
        assert await client.gather(500) == [f"43/chat,{number}[{number}]" for number in range(500)]


@BOTH
async def test_an_answer_holds_at_most_sixteen_packets(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,["push",40]', '42/chat,1["echo",1]')
        await asyncio.wait_for(_until_seen(server.policy.seen, 2), 5)
        assert [len(await client.packets()) for _ in range(3)] == [16, 16, 9]


async def _until_seen(seen: list[object], count: int) -> None:
    while len(seen) < count:
        await asyncio.sleep(0.001)


async def test_a_body_split_into_single_bytes_is_read_whole() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        body = '42/chat,1["echo","häppchen"]'.encode()
        pieces = [body[place : place + 1] for place in range(len(body))]
        answer = await raw_http(server, _post_head(client, f"Content-Length: {len(body)}"), *pieces)
        assert answer.startswith(b"HTTP/1.1 200")
        assert await client.packets() == ['43/chat,1["häppchen"]']


async def test_a_chunked_body_is_read_whole() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        chunks = [b'e\r\n42/chat,1["ech\r\n', b'7\r\no","x"]\r\n', b"0\r\n\r\n"]
        await raw_http(server, _post_head(client, "Transfer-Encoding: chunked"), *chunks)
        assert await client.packets() == ['43/chat,1["x"]']


async def test_a_body_as_large_as_allowed_is_read() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        head, tail = '42/chat,1["size","', '"]'
        assert await client.post(head + "x" * (1_000_000 - len(head) - len(tail)) + tail) == 200
        await client.packets()
        assert server.policy.sizes_bytes == [1_000_000 - 1]


async def test_a_larger_body_is_answered_413_and_ends_the_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        assert await client.post("4" * 1_000_001) == 413
        assert await server.policy.until_gone() == [("/chat", "too_large")]


async def test_a_larger_chunked_body_is_answered_413() -> None:
    async def chunks() -> object:
        for _ in range(20):
            yield b"4" * 65_536

    async with echo_server() as server, raw_polling(server) as client:
        assert (await client.post_body(chunks()))[0] == 413


async def test_a_body_that_unpacks_to_more_is_answered_413() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        bomb = gzip.compress(b"4" * 20_000_000)
        async with client.http.post(client.url, data=bomb, headers={"Content-Encoding": "gzip"}) as answer:
            assert answer.status == 413


async def test_a_body_that_breaks_off_ends_the_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_post_head(client, "Content-Length: 100") + b"42")
        await writer.drain()
        writer.close()
        assert await server.policy.until_gone() == [("/chat", "transport error")]
        assert await reader.read() == b""


async def test_a_binary_message_is_base64() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        await client.post('451-/chat,1["binary",{"_placeholder":true,"num":0}]', "bAQIDBA==")
        assert await client.packets() == ["43/chat,1[[4]]"]


@pytest.mark.parametrize("body", ["abc", "", "7", "4\x1e", "b!!!"])
@BOTH
async def test_a_malformed_body_is_answered_400_and_ends_the_connection(body: str, dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        assert await client.post(body) == 400
        await server.policy.until_gone()


async def test_a_second_body_beside_one_that_is_still_coming_ends_the_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_post_head(client, "Content-Length: 100") + b"42")
        (entry,) = server.engine._connections.all()
        while not entry.is_posting:
            await asyncio.sleep(0.001)
        assert await client.post('42/chat,1["echo","x"]') == 400
        assert await server.policy.until_gone() == [("/chat", "protocol_error")]
        assert server.policy.seen == []
        writer.close()
        assert await reader.read() == b""


async def test_a_body_that_does_not_end_in_time_ends_the_connection() -> None:
    async with echo_server(ping_interval_ms=20, ping_timeout_ms=20) as server, raw_polling(server) as client:
        await client.post("40/chat,")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_post_head(client, "Content-Length: 100") + b"42")
        assert await reader.readline() == b"HTTP/1.1 400 Bad Request\r\n"
        writer.write(b"x" * 98)
        await reader.read()
        writer.close()
        assert [namespace for namespace, _ in await server.policy.until_gone()] == ["/chat"]


@BOTH
async def test_a_poll_waits_for_the_next_packet(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        poll = asyncio.create_task(client.packets())
        await client.post('42/chat,1["echo","late"]')
        assert await poll == ['43/chat,1["late"]']


async def test_a_second_poll_beside_a_waiting_one_ends_the_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        first = asyncio.create_task(client.poll())
        await asyncio.sleep(0.05)
        assert (await client.poll())[0] == 400
        assert await first == (200, ["1"])
        assert (await client.poll())[0] == 400


async def test_a_poll_cancelled_by_the_client_ends_the_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        with contextlib.suppress(TimeoutError):
            await client.http.get(client.url, timeout=ClientTimeout(total=0.05))
        assert await client.post('42/chat,1["echo","x"]') == 400
        assert await server.policy.until_gone() == [("/chat", "transport close")]


async def test_a_close_packet_answers_the_waiting_poll_and_ends_the_connection() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        poll = asyncio.create_task(client.packets())
        await asyncio.sleep(0.02)
        assert await client.post("1") == 200
        assert await poll == ["6"]
        assert (await client.poll())[0] == 400


async def test_what_was_sent_before_a_close_packet_is_handled_first() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        await client.post('42/chat,["echo","before"]', "1")
        await server.policy.until_gone()
        assert server.policy.seen == ["before"]


async def test_the_next_body_waits_until_the_last_one_is_done() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        await client.post('42/chat,1["wait","first"]')
        second = asyncio.create_task(client.post('42/chat,2["echo","second"]'))
        await asyncio.sleep(0.05)
        assert not second.done()
        server.policy.may_continue.set()
        assert await second == 200
        assert await client.gather(2) == ['43/chat,1["first"]', '43/chat,2["second"]']


async def test_the_server_s_close_reaches_a_client_that_polls_later() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        await client.post('42/chat,1["close","x"]')
        await server.policy.until_gone()
        assert await client.packets() == ['43/chat,1["x"]', "1"]
        assert (await client.poll())[0] == 400


async def test_pings_come_with_the_polls_and_pongs_keep_the_connection() -> None:
    async with echo_server(ping_interval_ms=30, ping_timeout_ms=200) as server, raw_polling(server) as client:
        await client.connect()
        for _ in range(10):
            assert await client.packets() == ["2"]
            assert await client.post("3") == 200
        assert server.policy.gone == []


async def test_a_client_that_does_not_pong_is_gone() -> None:
    async with echo_server(ping_interval_ms=20, ping_timeout_ms=20) as server, raw_polling(server) as client:
        await client.post("40/chat,")
        assert await server.policy.until_gone() == [("/chat", "ping timeout")]


async def test_a_client_does_not_time_out_while_its_own_event_delays_its_pong() -> None:
    async with echo_server(ping_interval_ms=150, ping_timeout_ms=100) as server, raw_polling(server) as client:
        await client.connect()
        await client.post('42/chat,1["wait","x"]')
        assert await client.packets() == ["2"]
        pong = asyncio.create_task(client.post("3"))
        await asyncio.sleep(0.3)
        server.policy.may_continue.set()
        assert await pong == 200
        assert '43/chat,1["x"]' in await client.packets()


async def test_a_client_that_does_not_pong_is_gone_while_its_event_is_in_work_too() -> None:
    async with echo_server(ping_interval_ms=20, ping_timeout_ms=20) as server, raw_polling(server) as client:
        await client.connect()
        await client.post('42/chat,1["wait","x"]')
        while (await client.poll())[0] == 200:
            pass
        server.policy.may_continue.set()
        assert await server.policy.until_gone() == [("/chat", "ping timeout")]
