"""Events of one client are handled in order, one at a time, and every one of them is answered."""

import asyncio
import json
import logging
from collections.abc import Sequence

import pytest

from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.session.session import Session
from tests.protocol.dialect import BOTH, Dialect
from tests.protocol.echo_server import EchoPolicy, echo_server
from tests.protocol.raw_client import raw_polling, raw_socket


class PromptPolicy(EchoPolicy):
    """Answers without a coroutine what needs no waiting."""

    def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:  # type: ignore[override]
        match name:
            case "echo":
                return args[0]
            case "fail":
                raise RuntimeError("event fails")
            case "unencodable":
                return object()
            case "cancelled":
                return self._await_what_was_cancelled()
        return super().event(session, name, args, size_bytes)

    async def _await_what_was_cancelled(self) -> None:
        cancelled = asyncio.get_running_loop().create_future()
        cancelled.cancel()
        await cancelled


async def test_an_event_that_ends_cancelled_before_it_waits_is_answered_and_ends_nothing_else() -> None:
    async with echo_server(kind=PromptPolicy) as server, raw_socket(server) as client, raw_polling(server) as polling:
        await client.connect()
        answer = json.loads((await client.ask('42/chat,1["cancelled"]')).removeprefix("43/chat,1"))[0]
        assert (answer["ok"], answer["error"]["code"]) == (False, "unavailable")
        assert await client.ask('42/chat,2["echo","on"]') == '43/chat,2["on"]'
        assert not server.policy.sessions[0].connection.busy
        await polling.connect()
        assert await polling.post('42/chat,1["cancelled"]') == 200


async def test_a_plain_answer_and_one_that_waits_keep_their_order() -> None:
    async with echo_server(kind=PromptPolicy) as server, raw_socket(server) as client:
        await client.connect()
        await client.send('42/chat,1["echo","a"]', '42/chat,2["wait","b"]', '42/chat,3["echo","c"]')
        await server.policy.arrived.wait()
        server.policy.may_continue.set()
        assert [await client.receive() for _ in range(3)] == ['43/chat,1["a"]', '43/chat,2["b"]', '43/chat,3["c"]']


@pytest.mark.parametrize("event", ["fail", "unencodable"])
async def test_a_plain_answer_that_fails_is_an_internal_error(event: str) -> None:
    async with echo_server(kind=PromptPolicy) as server, raw_socket(server) as client:
        await client.connect()
        answer = json.loads((await client.ask(f'42/chat,1["{event}"]')).removeprefix("43/chat,1"))[0]
        assert (answer["ok"], answer["error"]["code"]) == (False, "internal")
        assert await client.ask('42/chat,2["echo","on"]') == '43/chat,2["on"]'


@BOTH
async def test_an_event_that_fails_is_answered_with_an_id_that_the_log_has(
    caplog: pytest.LogCaptureFixture, dialect: Dialect
) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        answer = json.loads((await client.ask('42/chat,1["fail"]')).removeprefix("43/chat,1"))[0]
        assert (answer["ok"], answer["error"]["code"]) == (False, "internal")
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        error_id = answer["error"]["message"].rpartition("(")[2].rstrip(")")
        assert error_id in record.getMessage()


@BOTH
async def test_an_answer_that_cannot_be_encoded_is_an_internal_error(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        answer = await client.ask('42/chat,1["unencodable"]')
        assert json.loads(answer.removeprefix("43/chat,1"))[0]["error"]["code"] == "internal"


@BOTH
async def test_an_answer_of_bytes_is_spliced_in(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        assert await client.ask('42/chat,1["encoded"]') == '43/chat,1[{"already":"encoded"}]'


@BOTH
async def test_an_event_without_an_ack_id_is_handled_and_not_answered(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        assert await client.ask('42/chat,["echo","quiet"]', '42/chat,2["echo","x"]') == '43/chat,2["x"]'
        assert server.policy.seen == ["quiet", "x"]


@pytest.mark.parametrize("namespace", ["/chat", "/feed"])
@BOTH
async def test_an_event_waits_for_those_before_it_in_any_namespace(namespace: str, dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect("/chat")
        await client.connect("/feed")
        await client.send('42/chat,1["wait","slow"]', f'42{namespace},2["echo","fast"]')
        await server.policy.arrived.wait()
        await asyncio.sleep(0.02)
        assert server.policy.seen == ["slow"]
        server.policy.may_continue.set()
        assert [await client.receive() for _ in range(2)] == ['43/chat,1["slow"]', f'43{namespace},2["fast"]']


@BOTH
async def test_clients_do_not_wait_for_each_other(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as slow, raw_socket(server, dialect) as fast:
        await slow.connect()
        await fast.connect()
        await slow.send('42/chat,1["wait","slow"]')
        await server.policy.arrived.wait()
        assert await fast.ask('42/chat,2["echo","fast"]') == '43/chat,2["fast"]'
        server.policy.may_continue.set()


@BOTH
async def test_a_long_backlog_of_one_client_lets_others_in_between(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as hog, raw_socket(server, dialect) as other:
        await hog.connect()
        await other.connect()
        await hog.post(*['42/chat,["echo","hog"]'] * 20_000)
        await other.ask('42/chat,1["echo","other"]')
        assert len(server.policy.seen) < 20_000


@BOTH
async def test_a_cancelled_event_is_answered_as_an_error(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,1["wait","x"]')
        poll = asyncio.create_task(client.packets())
        await server.policy.arrived.wait()
        assert server.policy.waiting is not None
        server.policy.waiting.cancel()
        answer = json.loads((await poll)[0].removeprefix("43/chat,1"))[0]
        assert (answer["ok"], answer["error"]["code"]) == (False, "unavailable")


@BOTH
async def test_a_session_is_not_forgotten_while_its_event_is_in_work(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,1["wait","x"]')
        await server.policy.arrived.wait()
        server.policy.sessions[0].connection.abort("ping timeout")
        await asyncio.sleep(0.02)
        assert server.policy.gone == []
        server.policy.may_continue.set()
        assert await server.policy.until_gone() == [("/chat", "ping timeout")]


@BOTH
async def test_a_connection_that_ends_during_connect_is_forgotten_once_accepted(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.send('40/chat,{"wait":true}')
        await server.policy.arrived.wait()
        (connection,) = server.hub.connections()
        connection.abort("transport close")
        await asyncio.sleep(0.02)
        server.policy.may_continue.set()
        assert await server.policy.until_gone() == [("/chat", "transport close")]
        assert server.hub.sessions("/chat") == ()


@BOTH
async def test_a_close_waits_for_the_answer_that_is_being_made(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        await client.send('42/chat,1["wait","x"]')
        await server.policy.arrived.wait()
        server.policy.sessions[0].connection.close(CLOSE_DRAINING)
        server.policy.may_continue.set()
        assert await client.receive() == '43/chat,1["x"]'
        assert await client.closed() == (4012, "draining")
