"""Who gets a session on a socket, and what is left of one that has gone, on a real port."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest
from redis.asyncio import Redis

from realtime.contract.identity import Identity
from realtime.engine.hub import Hub
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.presence.tracker import TOPIC as PRESENCE
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceChange, PresenceWatches
from realtime.pubsub.membership import Membership
from realtime.pubsub.memory_backplane import MemoryBackplane
from realtime.pubsub.room_names import person_room, room_channel
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import open_redis
from server.accounts.secrets_file import signing_keys
from server.accounts.token_watch import TokenWatch
from server.accounts.tokens import Tokens
from server.transports.sockets import SocketCallerSession
from tests.kit.clock import ManualClock
from tests.kit.recovering import recovering_clients, recovering_device
from tests.kit.server import PASSWORD, Person, RunningServer, running_server, settings_for_tests
from tests.server.draining import draining

ENGINE = "/socket.io/?EIO=4&transport="
ONE_HANDSHAKE = 1 / 600
WAIT_S = 10.0


class Wire:
    """A WebSocket on which packets are sent and read just as they are."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket

    async def ask(self, packet: str) -> tuple[str, Any]:
        """What kind of packet came back for the namespace, and its content."""
        await self._websocket.send_str(packet)
        answer = await self._websocket.receive_str(timeout=WAIT_S)
        # The number of the call, always 1 here, stands before an answer.
        return answer[:2], orjson.loads(answer.partition(",")[2].lstrip("1"))

    async def connect(self, namespace: str, **auth: object) -> tuple[str, Any]:
        return await self.ask(f"40{namespace},{orjson.dumps(auth).decode()}")

    async def send(self, packet: str) -> None:
        await self._websocket.send_str(packet)

    async def call(self, namespace: str, name: str) -> Any:
        kind, [answer] = await self.ask(f'42{namespace},1["{name}",{{}}]')
        assert kind == "43"
        return answer


@asynccontextmanager
async def wire(server: RunningServer) -> AsyncIterator[Wire]:
    async with server.http.ws_connect(f"{server.url}{ENGINE}websocket") as websocket:
        assert (await websocket.receive_str()).startswith("0")
        yield Wire(websocket)


def expired_token(person: Person) -> str:
    settings = settings_for_tests("postgresql://nowhere", "redis://nowhere")
    keys = signing_keys(settings.token_secrets, Path())
    an_hour_ago = ManualClock(datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1))
    tokens = Tokens(keys, an_hour_ago, access_token_ttl_s=60)
    identity = Tokens(keys, ManualClock(), access_token_ttl_s=60).identify(person.access_token)
    return tokens.access_token(identity.user_id, identity.login_session_id).token


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await check():
            await asyncio.sleep(0.01)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url, client_name="test")
    yield client
    await client.aclose()


async def room_channels(redis: Redis) -> set[str]:
    return {
        channel.decode() if isinstance(channel, bytes) else channel for channel in await redis.pubsub_channels("room:*")
    }


async def test_without_a_good_token_there_is_no_session(server: RunningServer) -> None:
    person = await server.person("sock.refused")
    async with wire(server) as client:
        for auth, code in (
            ({}, "unauthenticated"),
            ({"token": None}, "unauthenticated"),
            ({"token": 5}, "unauthenticated"),
            ({"token": ["x"]}, "unauthenticated"),
            ({"token": ""}, "unauthenticated"),
            ({"token": "garbage"}, "unauthenticated"),
            ({"token": person.access_token[:-2]}, "unauthenticated"),
            ({"token": expired_token(person)}, "token_expired"),
        ):
            kind, refusal = await client.connect("/users", **auth)
            assert (kind, refusal["data"]["code"]) == ("44", code), auth
            assert refusal["message"] == refusal["data"]["message"]
        assert not server.node.hub.has_members(person_room(int(person.id)))
        kind, _ = await client.connect("/users", token=person.access_token)
        assert kind == "40", "the connection itself is still good"
        assert (await client.call("/users", "user:me"))["data"]["user"]["id"] == person.id


async def test_a_connection_belongs_to_one_login_session(server: RunningServer) -> None:
    person, stranger = await server.people("sock.bound", "sock.stranger")
    _, login = await server.rest("POST", "/auth/login", {"login": "sock.bound", "password": PASSWORD})
    async with wire(server) as client:
        assert (await client.connect("/users", token=person.access_token))[0] == "40"
        for token in (stranger.access_token, login["data"]["access_token"]):
            for namespace in ("/posts", "/auth"):
                kind, refusal = await client.connect(namespace, token=token)
                assert (kind, refusal["data"]["code"]) == ("44", "forbidden")
        assert (await client.connect("/posts"))[1]["data"]["code"] == "unauthenticated"
        assert (await client.connect("/posts", token=person.access_token))[0] == "40"
        assert (await client.call("/users", "user:me"))["data"]["user"]["id"] == person.id


async def test_an_anonymous_client_of_auth_may_log_in_later(server: RunningServer) -> None:
    person = await server.person("sock.anonymous")
    async with wire(server) as client:
        assert (await client.connect("/auth"))[0] == "40"
        assert (await client.call("/auth", "auth:sessions"))["error"]["code"] == "unauthenticated"
        kind, refusal = await client.connect("/posts")
        assert (kind, refusal["data"]["code"]) == ("44", "unauthenticated")
        assert (await client.connect("/users", token=person.access_token))[0] == "40"
        [session] = (await client.call("/auth", "auth:sessions"))["data"]["items"]
        assert session["current"]


async def test_a_bad_token_is_refused_on_auth_too(server: RunningServer) -> None:
    async with wire(server) as client:
        kind, refusal = await client.connect("/auth", token="garbage")
        assert (kind, refusal["data"]["code"]) == ("44", "unauthenticated")


async def test_there_is_no_other_namespace(server: RunningServer) -> None:
    person = await server.person("sock.nowhere")
    async with wire(server) as client:
        for namespace in ("/nowhere", "/users/", "/USERS"):
            assert await client.connect(namespace, token=person.access_token) == (
                "44",
                {"message": "Invalid namespace"},
            )


async def test_handshakes_are_limited_by_address(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=ONE_HANDSHAKE)
    async with running_server(settings) as server:
        async with server.http.get(f"{server.url}{ENGINE}polling") as response:
            assert response.status == 200
        async with server.http.get(f"{server.url}{ENGINE}polling") as response:
            assert (response.status, (await response.json())["code"]) == (429, "rate_limited")
            assert int(response.headers["Retry-After"]) > 0
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await server.http.ws_connect(f"{server.url}{ENGINE}websocket")
        assert refused.value.status == 429


async def test_a_draining_server_refuses_clients_and_says_when_to_retry(server: RunningServer) -> None:
    person = await server.person("sock.drain")
    device = await person.device()
    async with draining(server):
        async with server.http.get(f"{server.url}{ENGINE}polling") as response:
            assert (response.status, (await response.json())["code"]) == (503, "draining")
            assert int(response.headers["Retry-After"]) > 0
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await server.http.ws_connect(f"{server.url}{ENGINE}websocket")
        assert refused.value.status == 503
        await device.expect_closed()


@pytest.mark.parametrize("how", ["goodbye", "lost", "namespace"])
async def test_a_session_that_has_gone_leaves_nothing_behind(server: RunningServer, redis: Redis, how: str) -> None:
    person, friend = await server.people(f"gone.{how}", f"friend.{how}")
    await friend.rest("POST", "/conversations", {"user_id": person.id})
    hub, room, listeners = server.node.hub, person_room(int(person.id)), TopicRegistry(redis, "observer")
    namespaces = ("/users", "/feed", "/chat")

    async def gone() -> bool:
        return not (await room_channels(redis) or await listeners.all_subscribers_by_node("feed"))

    async with aiohttp.ClientSession() as http:
        websocket = await http.ws_connect(f"{server.url}{ENGINE}websocket")
        await websocket.receive_str()
        client = Wire(websocket)
        for namespace in namespaces:
            assert (await client.connect(namespace, token=person.access_token))[0] == "40"
        assert (await client.call("/feed", "feed:subscribe"))["ok"]
        assert len(await room_channels(redis)) == 2, "the person's room and the conversation's"
        assert await listeners.all_subscribers_by_node("feed") == {server.node.node_id: {int(person.id)}}
        if how == "goodbye":
            await websocket.close()
        elif how == "lost":
            await http.close()
        else:
            for namespace in namespaces:
                await client.send(f"41{namespace},")
        await eventually(gone)
        assert not hub.has_members(room)
        assert not any(hub.sessions(namespace) for namespace in namespaces)
        assert hub.connection_count() == (1 if how == "namespace" else 0)
    await listeners.stop()


async def test_a_namespace_may_be_left_and_joined_again(server: RunningServer) -> None:
    person = await server.person("sock.again")
    async with wire(server) as client:
        assert (await client.connect("/users", token=person.access_token))[0] == "40"
        first_kind, first = await client.connect("/posts", token=person.access_token)
        await client.send("41/posts,")
        again_kind, again = await client.connect("/posts", token=person.access_token)
        assert (first_kind, again_kind) == ("40", "40") and first["sid"] != again["sid"]
        assert (await client.call("/posts", "no:such"))["error"]["code"] == "unknown_command"
        assert (await client.call("/users", "user:me"))["ok"]
        assert [len(server.node.hub.sessions(name)) for name in ("/users", "/posts")] == [1, 1]


async def test_two_devices_hear_the_same_and_one_leaves_alone(server: RunningServer, redis: Redis) -> None:
    person, friend = await server.people("sock.two", "sock.friend")
    phone, desk = await person.device(), await person.device(transports=("polling",))
    opened = await friend.do("/chat", "conversation:open", {"user_id": person.id})
    conversation_id = opened["conversation"]["id"]
    payload = {"conversation_id": conversation_id, "text": "hello"}
    await friend.do("/chat", "message:send", payload)
    for device in (phone, desk):
        assert (await device.expect_push("message:created"))["message"]["text"] == "hello"
    await phone.close()
    room = person_room(int(person.id))

    async def phone_is_gone() -> bool:
        return len(server.node.hub.members("/chat", room)) == 1

    await eventually(phone_is_gone)
    assert room_channel(room) in await room_channels(redis)
    await friend.do("/chat", "message:send", payload)
    assert (await desk.expect_push("message:created"))["message"]["seq"] == 2


async def test_a_connect_that_fails_unforeseen_leaves_nobody_online(
    database_url: str, redis_url: str, redis: Redis
) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, presence_grace_s=0.01)) as server:
        person, later = await server.people("sock.failed", "sock.failed.later")
        registry = TopicRegistry(redis, "observer")

        async def online() -> set[int]:
            found = await registry.subscribers_by_node(PRESENCE, [int(person.id), int(later.id)])
            return {user_id for user_ids in found.values() for user_id in user_ids}

        database = await asyncpg.connect(database_url)
        try:
            await database.execute("ALTER TABLE conversation_members RENAME TO hidden")
            async with wire(server) as client:
                kind, refusal = await client.connect("/chat", token=person.access_token)
                assert (kind, refusal["data"]["code"]) == ("44", "internal")
        finally:
            await database.execute("ALTER TABLE hidden RENAME TO conversation_members")
            await database.close()
        async with wire(server) as client:
            assert (await client.connect("/chat", token=later.access_token))[0] == "40"

            async def is_only_the_later() -> bool:
                return await online() == {int(later.id)}

            await eventually(is_only_the_later)
        await registry.stop()


async def test_a_call_that_outlives_its_session_starts_no_watch(redis: Redis) -> None:
    backplane, hub, registry = MemoryBackplane("node"), Hub(), TopicRegistry(redis, "node")
    membership = Membership(hub, backplane, registry)
    presence = PresenceTracker(registry, backplane, grace_s=1, save_last_seen=keep_nothing)
    watches = PresenceWatches(presence, backplane, notify=tell_nobody)
    connection: Connection[Session] = Connection.closed()
    connection.identity = Identity(user_id=1, login_session_id=1, expires_at_s=0)
    session = Session(id="s", namespace="/chat", connection=connection)
    caller_session = SocketCallerSession(session, membership, TokenWatch(ManualClock(), access_token_ttl_s=60), watches)
    membership.add_session(session)
    await caller_session.watch([2, 3])
    assert watches.watched_by(session) == {2, 3}
    # The client is lost, and what it called before goes on.
    session.detach()
    session.keep()
    watches.suspend(session)
    await caller_session.watch([4])
    assert watches.watched_by(session) == frozenset()
    watches.resume(session)
    session.resume(connection, [], complete=True)
    assert watches.watched_by(session) == {2, 3}
    watches.unwatch(session)
    membership.remove_session(session)
    await caller_session.watch([4])
    assert watches.watched_by(session) == frozenset()
    await registry.stop()


async def keep_nothing(_left: Mapping[int, int]) -> None: ...


async def tell_nobody(_changes: Sequence[PresenceChange]) -> bool:
    return True


async def test_official_clients_may_offer_subprotocols_and_leave_out_the_last_slash(server: RunningServer) -> None:
    person = await server.person("sock.options")
    options = {"addTrailingSlash": False, "protocols": ["chat.v1", "chat.v2"]}
    ways = product([("websocket",), ("polling",), ("polling", "websocket")], [False, True])
    async with recovering_clients() as clients:
        for transports, msgpack in ways:
            async with recovering_device(
                clients,
                server.url,
                namespaces=("/users",),
                transports=transports,
                msgpack=msgpack,
                options=options,
                token=person.access_token,
            ) as device:
                answer = await device.ask("call", namespace="/users", name="user:me", payload={})
                assert answer["data"]["user"]["id"] == person.id
