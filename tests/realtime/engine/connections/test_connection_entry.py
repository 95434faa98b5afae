"""How the packets of a WebSocket client, and its close, reach the policy."""

import asyncio

from tests.protocol.echo_server import EchoServer, echo_server
from tests.protocol.raw_client import RawSocket, raw_socket
from tests.protocol.websocket_peer import CLOSE, FIN, TEXT, frame


def _write(client: RawSocket, *frames: bytes) -> None:
    """In one segment."""
    client.websocket._writer.transport.write(b"".join(frames))


async def _waits(server: EchoServer, client: RawSocket) -> None:
    """The client's event is in work from here on."""
    await client.connect()
    await client.send('42/chat,1["wait","first"]')
    await server.policy.arrived.wait()


async def test_what_was_sent_right_before_a_close_is_handled_and_answered() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        _write(client, frame(FIN | TEXT, b'42/chat,1["echo","last"]'), frame(FIN | CLOSE, b"\x03\xe8"))
        assert await client.receive() == '43/chat,1["last"]'
        assert await client.closed() == (1000, "")
        assert await server.policy.until_gone() == [("/chat", "transport close")]


async def test_what_was_sent_right_before_a_malformed_packet_is_handled() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        _write(client, frame(FIN | TEXT, b'42/chat,1["echo","last"]'), frame(FIN | TEXT, b"nonsense"))
        assert await client.receive() == '43/chat,1["last"]'
        assert await client.closed() == (4009, "protocol_error")


async def test_what_was_sent_right_before_the_socket_was_torn_is_handled() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await _waits(server, client)
        await client.send('42/chat,["echo","second"]', '42/chat,["echo","third"]')
        client.websocket._writer.transport.close()
        (connection,) = server.hub.connections()
        while connection.is_writable:
            await asyncio.sleep(0.001)
        assert server.policy.seen == ["first"]
        server.policy.may_continue.set()
        assert await server.policy.until_gone() == [("/chat", "transport close")]
        assert server.policy.seen == ["first", "second", "third"]


async def test_a_close_is_answered_while_an_event_is_in_work() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await _waits(server, client)
        await client.websocket.close()
        assert client.websocket.close_code == 1000
        assert server.hub.connections() != () and server.policy.gone == []
        server.policy.may_continue.set()
        assert await server.policy.until_gone() == [("/chat", "transport close")]


async def test_a_client_that_is_far_ahead_of_its_answers_is_not_read() -> None:
    text = "x" * 1000
    async with echo_server() as server, raw_socket(server) as client:
        await _waits(server, client)
        (entry,) = server.engine._connections.all()
        sending = asyncio.create_task(client.send(*[f'42/chat,2["echo","{text}"]'] * 5_000))
        while not entry.packet_handler.is_paused:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        # What was read in one piece before the socket was paused.
        assert entry.packet_handler._waiting_bytes < 1024 * 1024
        server.policy.may_continue.set()
        assert await client.receive() == '43/chat,1["first"]'
        for _ in range(5_000):
            assert await client.receive() == f'43/chat,2["{text}"]'
        await sending
        assert not entry.packet_handler.is_paused


async def test_an_idle_client_has_no_task_and_nothing_waiting() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.ask(*['42/chat,1["echo","x"]'] * 3)
        for _ in range(2):
            await client.receive()
        (entry,) = server.engine._connections.all()
        assert (entry.packet_handler.task, entry.packet_handler._waiting) == (None, None)
