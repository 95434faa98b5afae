"""A stream of Server-Sent Events as a client sees it, on a real port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import orjson
import pytest

from realtime.contract.errors import CLOSE_DRAINING, CLOSE_SESSION_REVOKED, CLOSE_TOKEN_EXPIRED
from server.transports.events import event_stream
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.server.transports.events.test_long_polling import is_ended, poller, say, talk

WAIT_S = 10.0


class StreamedEvent(NamedTuple):
    id: str
    name: str
    data: dict[str, Any]


class Stream:
    """A client that reads as the HTML standard says; `id` is the last one that it has seen."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self.id = ""
        self.comments = 0

    async def next(self) -> StreamedEvent | None:
        """The next event; None at the end."""
        name = data = ""
        async with asyncio.timeout(WAIT_S):
            while line := (await self.answer.content.readline()).decode():
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "id":
                    self.id = value
                elif field == "event":
                    name = value
                elif field == "data":
                    data = value
                elif field == ":":
                    self.comments += 1
                elif not field and data:
                    return StreamedEvent(self.id, name, orjson.loads(data))
        return None

    async def begin(self) -> None:
        """Reads the first cursor."""
        assert await self.next() == StreamedEvent(self.id, "cursor", {})

    async def texts(self, count: int) -> list[str]:
        """Those of so many messages."""
        found: list[str] = []
        while len(found) < count:
            event = await self.next()
            assert event is not None
            if event.name == "message:created":
                assert (event.data["namespace"], event.data["name"]) == ("/chat", event.name)
                found.append(event.data["data"]["message"]["text"])
        return found


@asynccontextmanager
async def stream(
    server: RunningServer,
    *,
    token: str | None = None,
    cursor: str | None = None,
    ticket: str | None = None,
    http: aiohttp.ClientSession | None = None,
) -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if cursor is not None:
        headers["Last-Event-ID"] = cursor
    query = {} if ticket is None else {"ticket": ticket}
    http = http or server.http
    async with http.get(f"{server.url}/v1/events/stream", headers=headers, params=query) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        opened = Stream(answer)
        await opened.begin()
        yield opened


async def two_who_talk(server: RunningServer, name: str) -> tuple[Person, Person, str]:
    """The first one has no socket."""
    me, friend = await server.people(f"{name}.me", f"{name}.friend")
    return me, friend, await talk(friend, me)


async def test_pushes_come_as_events_and_go_on_after_the_last_one_that_was_seen(server: RunningServer) -> None:
    me, friend, conversation_id = await two_who_talk(server, "sse.on")
    async with stream(server, token=me.access_token) as first:
        await say(friend, conversation_id, "one")
        assert await first.texts(1) == ["one"]
    for text in ("two", "three"):
        await say(friend, conversation_id, text)
    async with stream(server, token=me.access_token, cursor=first.id) as second:
        await say(friend, conversation_id, "four")
        assert await second.texts(3) == ["two", "three", "four"]


async def test_a_cursor_is_good_on_another_node_and_for_long_polling(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        me, friend, conversation_id = await two_who_talk(one, "sse.node")
        async with stream(one, token=me.access_token) as first:
            await say(friend, conversation_id, "one")
            assert await first.texts(1) == ["one"]
        await say(friend, conversation_id, "two")
        async with stream(other, token=me.access_token, cursor=first.id) as second:
            assert await second.texts(1) == ["two"]
        await say(friend, conversation_id, "three")
        client = await poller(one, me)
        client.cursor = second.id
        (event,) = await client.hear(1)
        assert event["data"]["message"]["text"] == "three"


async def test_a_cursor_that_cannot_be_resumed_is_told(server: RunningServer) -> None:
    me = await server.person("sse.lost")
    async with stream(server, token=me.access_token, cursor="no cursor") as lost:
        event = await lost.next()
        assert event is not None
        assert (event.name, event.data["data"]) == ("resync", {"scope": "all"})
        assert event.id == lost.id != "no cursor"


async def test_a_ticket_stands_for_a_token_once(server: RunningServer) -> None:
    me, friend, conversation_id = await two_who_talk(server, "sse.ticket")
    status, answer = await me.rest("POST", "/events/ticket")
    assert (status, answer["data"]["expires_in_s"]) == (201, 60)
    ticket = answer["data"]["ticket"]
    async with stream(server, ticket=ticket) as opened:
        await say(friend, conversation_id, "hello")
        assert await opened.texts(1) == ["hello"]
    status, answer = await server.rest("GET", "/events/stream", query={"ticket": ticket})
    assert (status, answer["error"]["code"]) == (401, "unauthenticated")
    status, answer = await server.rest("POST", "/events/ticket")
    assert (status, answer["error"]["code"]) == (401, "unauthenticated")


async def test_what_is_no_call_for_a_stream_is_refused_in_the_envelope(server: RunningServer) -> None:
    me = await server.person("sse.refused")
    assert (await server.rest("GET", "/events/stream"))[0] == 401
    status, answer = await server.rest("GET", "/events/stream", query={"since": "1"}, token=me.access_token)
    assert (status, answer["error"]["fields"]) == (422, {"since": "is not known"})
    for path in ("/v1/events", "/v1/events/stream"):
        async with server.http.get(server.url + path, headers={"Accept": "text/html"}) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (406, "invalid_payload")
    async with server.http.head(f"{server.url}/v1/events/stream") as head:
        assert (head.status, head.headers["Allow"]) == (405, "GET, OPTIONS")


async def test_a_silent_stream_has_heartbeats(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.02)
    me, friend, conversation_id = await two_who_talk(server, "sse.beat")
    async with stream(server, token=me.access_token) as opened:
        await asyncio.sleep(0.2)
        await say(friend, conversation_id, "hello")
        assert await opened.texts(1) == ["hello"]
        assert opened.comments > 1


async def closes_with(opened: Stream) -> dict[str, Any]:
    """The data of the last event."""
    last = None
    while (event := await opened.next()) is not None:
        last = event
    assert last is not None and last.name == "close"
    return last.data


async def test_the_end_of_a_login_session_ends_its_streams(server: RunningServer) -> None:
    me = await server.person("sse.revoked")
    async with stream(server, token=me.access_token) as opened:
        await me.rest("POST", "/auth/logout", {"refresh_token": me.refresh_token})
        event = await opened.next()
        assert event is not None and event.name == "session:revoked"
        told = await closes_with(opened)
        assert (told["code"], told["reconnect"]) == (CLOSE_SESSION_REVOKED.code, False)


async def test_a_token_that_expires_ends_its_streams(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, access_token_ttl_s=2)
    async with running_server(settings) as server:
        me = await server.person("sse.expired")
        async with stream(server, token=me.access_token) as opened:
            assert (await closes_with(opened))["code"] == CLOSE_TOKEN_EXPIRED.code


async def test_a_node_that_stops_tells_its_streams_and_another_goes_on(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as other, aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        async with running_server(settings) as one:
            me, friend, conversation_id = await two_who_talk(one, "sse.drain")
            opened = await stack.enter_async_context(stream(one, token=me.access_token, http=http))
        told = await closes_with(opened)
        assert (told["code"], told["reconnect"]) == (CLOSE_DRAINING.code, True)
        there = Person(
            other, {"user": friend.user, "access_token": friend.access_token, "refresh_token": ""}, friend.password
        )
        await say(there, conversation_id, "still here")
        async with stream(other, token=me.access_token, cursor=opened.id) as second:
            assert await second.texts(1) == ["still here"]


async def test_a_client_that_does_not_read_is_cut_off(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, max_unread_bytes=100_000, recovery_window_s=1)
    async with running_server(settings) as server:
        me, friend, conversation_id = await two_who_talk(server, "sse.stalled")
        async with stream(server, token=me.access_token) as opened:
            read_nothing(opened)
            async with asyncio.timeout(30):
                while not is_ended(server, me):
                    for _ in range(20):
                        await say(friend, conversation_id, "x" * 4_000)


async def test_a_client_that_does_not_read_for_long_is_cut_off(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(
        database_url, redis_url, ping_interval_ms=200, ping_timeout_ms=200, recovery_window_s=0.1
    )
    async with running_server(settings) as server:
        me, friend, conversation_id = await two_who_talk(server, "sse.silent")
        with socket.create_connection(("127.0.0.1", server.node.port)) as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            silent.sendall(
                f"GET /v1/events/stream HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {me.access_token}\r\n\r\n".encode()
            )
            async with asyncio.timeout(WAIT_S):
                while is_ended(server, me):
                    await asyncio.sleep(0.01)
            for _ in range(120):
                await say(friend, conversation_id, "x" * 4_000)
            async with asyncio.timeout(WAIT_S):
                while not is_ended(server, me):
                    await asyncio.sleep(0.05)


def read_nothing(opened: Stream) -> None:
    opened.answer.connection.transport.pause_reading()  # type: ignore[union-attr]  # it is open
