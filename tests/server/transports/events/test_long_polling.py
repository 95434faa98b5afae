"""Long-polling as a client sees it, on a real port."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.pubsub.room_names import person_room
from server.transports.events.sessions import FIRST_CALLS
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
    return any(not member.is_kept for member in members)


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


async def test_new_posts_and_conversations_are_polled(server: RunningServer) -> None:
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
    assert len({event["id"] for event in again["events"]}) == 2 and again["events"][0] == first["events"][0]
    assert texts((await client.poll(first["cursor"]))["events"]) == ["two"]
    assert (await client.poll(again["cursor"], timeout_s=0))["events"] == []
    assert (await client.poll(start))["events"] == again["events"], "as long as it is there"


async def test_a_cursor_is_good_on_every_node_and_with_every_login_of_its_person(
    database_url: str, redis_url: str
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as here, running_server(settings, work=False) as there:
        me, friend = await here.people("poll.moves", "poll.moves.friend")
        conversation_id = await talk(me, friend)
        _, login = await here.rest("POST", "/auth/login", {"login": "poll.moves", "password": PASSWORD})
        at_home, away = await poller(here, me), Poller(there, login["data"]["access_token"])
        for number, (client, last) in enumerate([(away, at_home), (at_home, away), (away, at_home)]):
            client.cursor = last.cursor
            await say(friend, conversation_id, f"missed {number}")
            assert texts(await client.hear(1)) == [f"missed {number}"]
            waiting = asyncio.create_task(client.poll())
            await say(friend, conversation_id, f"awaited {number}")
            assert texts((await waiting)["events"]) == [f"awaited {number}"]


async def test_a_poll_continues_where_its_stopped_node_ended(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as staying:
        me, friend = await staying.people("poll.handed", "poll.handed.friend")
        conversation_id = await talk(me, friend)
        async with running_server(settings, work=False) as stopping:
            client = await poller(stopping, me)
            waiting = asyncio.create_task(client.poll())
            while not is_waiting(stopping, me):
                await asyncio.sleep(0.01)
            await stopping.node.stop()
            assert "resync" not in await waiting
        target = Poller(staying, me.access_token)
        target.cursor = client.cursor
        await say(friend, conversation_id, "missed")
        assert texts(await target.hear(1)) == ["missed"]


async def test_every_other_cursor_is_answered_with_resync_and_a_new_one(server: RunningServer) -> None:
    me, stranger = await server.people("poll.cursor", "poll.cursor.stranger")
    client = Poller(server, me.access_token)
    mine = (await client.poll())["cursor"]
    pid, _, rest = mine.partition("~")
    node, _, _ = pid.partition(".")
    strangers = (await Poller(server, stranger.access_token).poll())["cursor"]
    cursors = {
        "another person": strangers,
        "partly another person": f"{pid}~~" + strangers.split("~", 2)[2],
        "an offset never given": f"{pid}~AAAAAAAA.1{rest}",
        "a session never given": f"{node}.nobody~{rest}",
        "a node never there": f"0000.nobody~{rest}",
        "too many": f"{mine}~{mine}",
        "too few": pid,
        "long": f"{pid}~{'9' * 2_000}{rest}",
        "garbage": "garbage",
        "nothing": "~~~~~~~",
    }
    for name, cursor in cursors.items():
        data = await client.poll(cursor)
        assert (data["resync"], data["events"]) == ("all", []), name
        assert data["cursor"] not in cursors.values()
        assert "resync" not in await client.poll(timeout_s=0), "the new cursor is good"
    assert "resync" not in await Poller(server, stranger.access_token).poll(strangers, timeout_s=0), "it is the owner's"


async def test_pushes_beyond_what_is_kept_are_told_as_resync(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, recovery_log_max_bytes=65_536)) as server:
        me, friend = await server.people("poll.much", "poll.much.friend")
        conversation_id = await talk(me, friend)
        client = await poller(server, me)
        for _ in range(10):
            await say(friend, conversation_id, "x" * 4_000)
        data = await client.poll()
        assert (data["resync"], data["events"]) == ("all", [])
        await say(friend, conversation_id, "after")
        assert texts(await client.hear(1)) == ["after"]


async def test_much_is_told_over_several_polls(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, max_unread_bytes=65_536)) as server:
        me, friend = await server.people("poll.parts", "poll.parts.friend")
        conversation_id = await talk(me, friend)
        client = await poller(server, me)
        said = [f"{number} " + "x" * 3_900 for number in range(30)]
        for text in said:
            await say(friend, conversation_id, text)
        polls, heard = 0, list[dict[str, Any]]()
        async with asyncio.timeout(WAIT_S):
            while len(heard) < len(said):
                data = await client.poll()
                assert "resync" not in data
                heard += data["events"]
                polls += 1
        assert texts(heard) == said and polls > 2


async def test_a_waiting_poll_gives_volatile_pushes(server: RunningServer) -> None:
    me = await server.person("poll.volatile")
    client = await poller(server, me)
    rooms = (person_room(int(me.id)),)
    server.node.hub.push(EncodedPush("/users", "unheard", b"0"), rooms)
    waiting = asyncio.create_task(client.poll())
    while not is_waiting(server, me):
        await asyncio.sleep(0.01)
    for number in range(2):
        server.node.hub.push(EncodedPush("/users", "heard", b"%d" % number), rooms)
    events = (await waiting)["events"]
    assert [(event["name"], event["data"]) for event in events] == [("heard", 0), ("heard", 1)]
    assert events[0]["id"] != events[1]["id"]
    assert (await client.poll(timeout_s=0))["events"] == []


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


async def test_sessions_without_polls_expire(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, recovery_window_s=0.1)) as server:
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
        assert "resync" not in await waiting
        assert time.monotonic() - started_s < 30, "the stop did not wait for the poll's own end"


@pytest.mark.parametrize("token", [None, "garbage"])
async def test_a_poll_without_a_valid_token_is_refused(server: RunningServer, token: str | None) -> None:
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


async def test_polls_that_begin_anew_are_limited_by_person(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as generous:
        me = await generous.person("poll.begin")
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=1)) as server:
        client = Poller(server, me.access_token)
        for _ in range(FIRST_CALLS.count):
            await client.poll("")
        status, answer = await client.get("")
        assert (status, answer["error"]["code"]) == (429, "rate_limited")
        assert "resync" not in await client.poll(timeout_s=0), "who goes on is not concerned"


async def test_a_poll_gives_the_pushes_of_a_socket_of_the_same_user(server: RunningServer) -> None:
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
    by_poll = [(event["namespace"], event["name"], event["data"]) for event in events]
    for namespace in NAMESPACES:
        assert [push for push in by_poll if push[0] == namespace] == [
            push for push in by_socket if push[0] == namespace
        ]
    assert {name for _, name, _ in by_socket} >= {"feed:new", "message:created", "receipt:updated"}
    assert (await client.poll(timeout_s=0))["events"] == []


async def test_a_poll_that_ends_while_it_begins_leaves_nothing(server: RunningServer, database_url: str) -> None:
    me = await server.person("poll.begins")
    barrier = await asyncpg.connect(database_url)
    try:
        async with barrier.transaction():
            await barrier.execute("LOCK TABLE conversation_members IN ACCESS EXCLUSIVE MODE")
            poll = asyncio.create_task(Poller(server, me.access_token).get())
            while is_ended(server, me):
                await asyncio.sleep(0.01)
            # The rooms of its first namespace cannot be read while the lock is held.
            assert (await server.rest("POST", "/auth/logout", {"refresh_token": me.refresh_token}))[0] == 200
            await asyncio.sleep(0.05)
            assert not poll.done()
    finally:
        await barrier.close()
    status, _ = await asyncio.wait_for(poll, WAIT_S)
    assert status in (401, 503)
    async with asyncio.timeout(WAIT_S):
        while not is_ended(server, me):
            await asyncio.sleep(0.01)
    assert all(session.user_id != int(me.id) for name in NAMESPACES for session in server.node.hub.sessions(name))
