"""Long-polling as a client sees it, on a real port."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from realtime.rooms import person_room
from server.event_streams import MAX_KEPT_BYTES, MAX_STREAMS_PER_LOGIN, StreamMember
from tests.kit.server import NAMESPACES, PASSWORD, Person, RunningServer, running_server, settings_for_tests

WAIT_S = 10.0


class Poller:
    """A client that polls as the documents tell it to."""

    def __init__(self, server: RunningServer, token: str) -> None:
        self._server = server
        self._token = token
        self.cursor = ""

    async def get(self, cursor: str | None = None, timeout_s: int | str = 50) -> tuple[int, dict[str, Any]]:
        """Status and answer of one poll; from where it stands unless a cursor is given."""
        query = {"cursor": self.cursor if cursor is None else cursor, "timeout_s": str(timeout_s)}
        return await self._server.rest("GET", "/events", query=query, token=self._token)

    async def poll(self, cursor: str | None = None, timeout_s: int = 50) -> dict[str, Any]:
        """The data of a poll that must succeed; the next one goes on from there."""
        status, answer = await self.get(cursor, timeout_s)
        assert status == 200, answer
        data: dict[str, Any] = answer["data"]
        self.cursor = data["cursor"]
        return data

    async def hear(self, count: int) -> list[dict[str, Any]]:
        """So many events, over as many polls as it takes."""
        heard: list[dict[str, Any]] = []
        async with asyncio.timeout(WAIT_S):
            while len(heard) < count:
                data = await self.poll()
                assert "resync" not in data
                heard += data["events"]
        assert len(heard) == count, heard
        return heard


async def poller(server: RunningServer, person: Person) -> Poller:
    """A client that has its first cursor."""
    made = Poller(server, person.access_token)
    assert (await made.poll())["events"] == []
    return made


async def talk(person: Person, other: Person) -> str:
    return str((await person.do("/chat", "conversation:open", {"user_id": other.id}))["conversation"]["id"])


async def say(person: Person, conversation_id: str, text: str) -> None:
    await person.do("/chat", "message:send", {"conversation_id": conversation_id, "text": text})


def texts(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["message"]["text"] for event in events if event["name"] == "message:created"]


def is_waiting(server: RunningServer, person: Person) -> bool:
    members = server.node.hub.members("/users", person_room(int(person.id)))
    return any(isinstance(member, StreamMember) and member.stream.waiting for member in members)


def is_ended(server: RunningServer, person: Person) -> bool:
    return not server.node.hub.has_members(person_room(int(person.id)))


async def test_the_first_poll_gives_a_cursor_at_once(server: RunningServer) -> None:
    client = Poller(server, (await server.person("poll.first")).access_token)
    data = await client.poll()
    assert data.keys() == {"events", "cursor"} and data["events"] == []
    assert await client.poll(timeout_s=0) == data


async def test_a_poll_waits_for_the_first_push(server: RunningServer) -> None:
    me, friend = await server.people("poll.wait", "poll.wait.friend")
    conversation_id = await talk(me, friend)
    client = await poller(server, me)
    waiting = asyncio.create_task(client.poll())
    await friend.main_device()
    assert not waiting.done()
    await say(friend, conversation_id, "hello")
    data = await asyncio.wait_for(waiting, WAIT_S)
    assert texts(data["events"]) == ["hello"]
    assert data["events"][0]["namespace"] == "/chat"


async def test_what_came_between_polls_is_answered_at_once(server: RunningServer) -> None:
    me, friend = await server.people("poll.between", "poll.between.friend")
    conversation_id = await talk(me, friend)
    client = await poller(server, me)
    for text in ("one", "two"):
        await say(friend, conversation_id, text)
    assert texts(await client.hear(2)) == ["one", "two"]


async def test_posts_and_conversations_that_come_to_be_meanwhile_are_heard(server: RunningServer) -> None:
    me, friend = await server.people("poll.pushes", "poll.pushes.friend")
    await me.rest("POST", f"/users/{friend.id}/follow")
    client = await poller(server, me)
    await friend.do("/posts", "post:create", {"text": "a post"})
    [event] = await client.hear(1)
    assert (event["namespace"], event["name"], event["data"]["post"]["text"]) == ("/feed", "feed:new", "a post")
    conversation_id = await talk(friend, me)
    await say(friend, conversation_id, "first")
    heard: list[dict[str, Any]] = []
    async with asyncio.timeout(WAIT_S):
        while texts(heard) != ["first"] and not any(event["name"] == "resync" for event in heard):
            heard += (await client.poll())["events"]
    await say(friend, conversation_id, "second")
    async with asyncio.timeout(WAIT_S):
        while "second" not in texts(heard):
            heard += (await client.poll())["events"]


async def test_a_lost_answer_can_be_fetched_again_until_the_next_poll_confirms_it(server: RunningServer) -> None:
    me, friend = await server.people("poll.lost", "poll.lost.friend")
    conversation_id = await talk(me, friend)
    client = await poller(server, me)
    start = client.cursor
    await say(friend, conversation_id, "one")
    first = await client.poll()
    assert await client.poll(start) == first
    await say(friend, conversation_id, "two")
    async with asyncio.timeout(WAIT_S):
        while texts((again := await client.poll(start))["events"]) != ["one", "two"]:
            await asyncio.sleep(0.01)
    assert [event["id"] for event in again["events"]] == ["1", "2"]
    assert texts((await client.poll(first["cursor"]))["events"]) == ["two"]
    assert (await client.poll(again["cursor"], timeout_s=0))["events"] == []
    stale = await client.poll(start)
    assert (stale["resync"], stale["events"]) == ("all", [])


async def test_every_other_cursor_is_answered_with_resync_and_a_new_one(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as here, running_server(settings) as there:
        me, stranger = await here.people("poll.cursor", "poll.cursor.stranger")
        client = Poller(here, me.access_token)
        _, login = await here.rest("POST", "/auth/login", {"login": "poll.cursor", "password": PASSWORD})
        mine = (await client.poll())["cursor"]
        node, key, _ = mine.split(".")
        cursors = {
            "another node": (await Poller(there, me.access_token).poll())["cursor"],
            "another person": (await Poller(here, stranger.access_token).poll())["cursor"],
            "another login": (await Poller(here, login["data"]["access_token"]).poll())["cursor"],
            "never given": f"{node}.{key}.1",
            "no number": f"{node}.{key}.x",
            "a long number": f"{node}.{key}.{'9' * 5_000}",
            "negative": f"{node}.{key}.-1",
            "garbage": "garbage",
            "dots": "...",
        }
        for name, cursor in cursors.items():
            data = await client.poll(cursor)
            assert (data["resync"], data["events"]) == ("all", []), name
            assert data["cursor"] not in cursors.values()
            assert "resync" not in await client.poll(timeout_s=0), "the new cursor is good"


async def test_pushes_beyond_what_is_kept_are_told_as_resync(server: RunningServer) -> None:
    me = await server.person("poll.much")
    client = await poller(server, me)
    big = b'"' + b"x" * (MAX_KEPT_BYTES // 10) + b'"'
    rooms = (person_room(int(me.id)),)

    def flood() -> None:
        for _ in range(12):
            server.node.hub.broadcast("/users", rooms, "much", big)

    flood()
    data = await client.poll()
    assert (data["resync"], data["events"]) == ("all", []), "they came between two polls"
    waiting = asyncio.create_task(client.poll())
    while not is_waiting(server, me):
        await asyncio.sleep(0.01)
    flood()
    assert (await waiting)["resync"] == "all", "they came while a poll waited"
    server.node.hub.broadcast("/users", rooms, "little", b"1")
    async with asyncio.timeout(WAIT_S):
        while not any(event["name"] == "little" for event in (await client.poll())["events"]):
            pass


async def test_a_second_poll_ends_the_first(server: RunningServer) -> None:
    me, friend = await server.people("poll.second", "poll.second.friend")
    conversation_id = await talk(me, friend)
    client = await poller(server, me)
    first = asyncio.create_task(client.get())
    while not is_waiting(server, me):
        await asyncio.sleep(0.01)
    second = asyncio.create_task(client.get())
    _, answer = await asyncio.wait_for(first, WAIT_S)
    assert (answer["data"]["events"], answer["data"]["cursor"]) == ([], client.cursor)
    assert not second.done()
    await say(friend, conversation_id, "hello")
    _, answer = await asyncio.wait_for(second, WAIT_S)
    assert texts(answer["data"]["events"]) == ["hello"]


@pytest.mark.parametrize("when", ["waiting", "between"])
async def test_an_ended_login_session_hears_nothing_more(server: RunningServer, when: str) -> None:
    me = await server.person(f"poll.revoked.{when}")
    client = await poller(server, me)
    poll = asyncio.create_task(client.get()) if when == "waiting" else None
    while poll is not None and not is_waiting(server, me):
        await asyncio.sleep(0.01)
    assert (await server.rest("POST", "/auth/logout", {"refresh_token": me.refresh_token}))[0] == 200
    status, answer = await asyncio.wait_for(poll or client.get(), WAIT_S)
    assert (status, answer["error"]["code"]) == (401, "unauthenticated")
    async with asyncio.timeout(WAIT_S):
        while not is_ended(server, me):
            await asyncio.sleep(0.01)


async def test_a_stream_that_nobody_polls_is_dropped(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, events_idle_s=0.1)) as server:
        me = await server.person("poll.idle")
        client = await poller(server, me)
        waiting = asyncio.create_task(client.poll(timeout_s=1))
        await asyncio.sleep(0.3)
        assert not waiting.done() and not is_ended(server, me), "a poll that waits keeps it"
        assert "resync" not in await waiting
        async with asyncio.timeout(WAIT_S):
            while not is_ended(server, me):
                await asyncio.sleep(0.01)
        assert (await client.poll())["resync"] == "all"


async def test_a_server_that_stops_answers_the_polls_that_wait(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, drain_timeout_s=30)) as server:
        me = await server.person("poll.drain")
        client = await poller(server, me)
        waiting = asyncio.create_task(client.poll())
        while not is_waiting(server, me):
            await asyncio.sleep(0.01)
        started_s = time.monotonic()
        await server.node.stop()
        assert (await waiting)["resync"] == "all"
        assert time.monotonic() - started_s < 30, "the stop did not wait for the poll's own end"


@pytest.mark.parametrize("token", [None, "garbage"])
async def test_nobody_hears_anything_without_a_token(server: RunningServer, token: str | None) -> None:
    status, answer = await server.rest("GET", "/events", token=token)
    assert (status, answer["error"]["code"]) == (401, "unauthenticated")


async def test_a_bad_timeout_is_named(server: RunningServer) -> None:
    client = await poller(server, await server.person("poll.timeout"))
    for timeout_s in ("", "x", "-1", "1.5", "99999", "٥"):
        status, answer = await client.get(timeout_s=timeout_s)
        assert (status, list(answer["error"]["fields"])) == (422, ["timeout_s"])


async def test_a_field_that_is_not_known_is_named(server: RunningServer) -> None:
    person = await server.person("ev.unknown")
    status, answer = await person.rest("GET", "/events", query={"curser": "x"})
    assert (status, answer["error"]["code"], list(answer["error"]["fields"])) == (422, "invalid_payload", ["curser"])
    assert (await person.rest("GET", "/events?timeout_s=0&timeout_s=1"))[0] == 422


async def test_polls_are_limited_by_person(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as generous:
        me = await generous.person("poll.limit")
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=1 / 300)) as server:
        client = Poller(server, me.access_token)
        await client.poll()
        status, answer = await client.get()
        assert (status, answer["error"]["code"]) == (429, "rate_limited")


async def test_too_many_streams_of_one_login_end_the_oldest(server: RunningServer) -> None:
    me = await server.person("poll.many")
    clients = [await poller(server, me) for _ in range(MAX_STREAMS_PER_LOGIN + 1)]
    assert (await clients[0].poll(timeout_s=0))["resync"] == "all"
    assert "resync" not in await clients[-1].poll(timeout_s=0)


async def test_streams_that_end_while_they_begin_leave_nothing_behind(server: RunningServer) -> None:
    me = await server.person("poll.burst")
    clients = [Poller(server, me.access_token) for _ in range(3 * MAX_STREAMS_PER_LOGIN)]
    await asyncio.gather(*(client.poll() for client in clients))
    for namespace in NAMESPACES:
        members = server.node.hub.members(namespace, person_room(int(me.id)))
        assert len(members) == MAX_STREAMS_PER_LOGIN, namespace


async def test_a_poller_hears_what_a_socket_of_the_same_person_hears(server: RunningServer) -> None:
    me, friend = await server.people("poll.parity", "poll.parity.friend")
    await me.rest("POST", f"/users/{friend.id}/follow")
    conversation_id = await talk(me, friend)
    device = await me.device()
    await device.do("/feed", "feed:subscribe")
    client = await poller(server, me)
    device.pushes.clear()
    before = len(device.heard)
    await friend.do("/posts", "post:create", {"text": "a post"})
    await device.expect_push("feed:new")
    for text in ("one", "two"):
        await say(friend, conversation_id, text)
    await say(me, conversation_id, "three")
    await friend.do("/chat", "message:read", {"conversation_id": conversation_id, "seq": 3})
    await device.expect_push("receipt:updated")
    await me.do("/chat", "message:read", {"conversation_id": conversation_id, "seq": 3})
    # The last push that both hear: all rooms of one test are served by one connection to Redis, in order.
    await say(friend, conversation_id, "last")
    while (await device.expect_push("message:created"))["message"]["text"] != "last":
        pass
    by_socket = [(push.namespace, push.name, push.data) for push in device.heard[before:]]
    events = await client.hear(len(by_socket))
    assert [(event["namespace"], event["name"], event["data"]) for event in events] == by_socket
    assert {name for _, name, _ in by_socket} >= {"feed:new", "message:created", "receipt:updated"}
    assert (await client.poll(timeout_s=0))["events"] == []
