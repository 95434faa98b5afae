"""The official JavaScript client loses its connection and gets its session back from the same node."""

from __future__ import annotations

import asyncio

import pytest

from tests.handlers.chat.talk import CHAT, hear
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import recovering_device
from tests.kit.server import RunningServer
from tests.recovery.talk import CREATED, TIMES_LOST, much_writing, offsets, say, texts, two, two_who_talk, until_texts

TRANSPORTS = pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids="+".join)
RESYNC_ALL = {"scope": "all"}


@TRANSPORTS
@pytest.mark.parametrize("msgpack", [False, True], ids=["json", "msgpack"])
async def test_what_was_missed_comes_once_and_in_order(
    server: RunningServer, clients: JavaScript, transports: list[str], msgpack: bool
) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(
        clients, server.url, transports=transports, msgpack=msgpack, token=reader.access_token
    ) as device:
        first = await device.joins(1)
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        await device.ask("drop")
        await say(writer, conversation, "two", "three")
        back = await device.joins(2)
        await say(writer, conversation, "four")
        await until_texts(device, "one", "two", "three", "four")
        assert (first.recovered, back.recovered, back.sid) == (False, True, first.sid)
        assert len(set(offsets(device))) == 4 and None not in offsets(device)
        assert device.told(CHAT, "resync") == []
        # Commands work as before.
        answer = await device.ask(
            "call", namespace=CHAT, name="conversation:get", payload={"conversation_id": conversation}
        )
        assert answer["ok"]


async def test_a_client_without_any_push_yet_gets_all_since_its_beginning(
    server: RunningServer, clients: JavaScript
) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        await device.ask("drop")
        await say(writer, conversation, "one")
        assert (await device.joins(2)).recovered
        await until_texts(device, "one")


async def test_pushes_written_before_the_loss_was_noticed_are_replayed(
    server: RunningServer, clients: JavaScript
) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        # From here on the server writes to a connection that the client does not read.
        await device.ask("slip")
        await say(writer, conversation, "two", "three")
        assert (await device.joins(2)).recovered
        await until_texts(device, "one", "two", "three")
        await say(writer, conversation, "four")
        await until_texts(device, "one", "two", "three", "four")


async def test_it_may_be_lost_again_and_again(server: RunningServer, clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        said = []
        for number in range(6):
            await device.ask("drop" if number % 2 else "slip")
            said.append(str(number))
            await say(writer, conversation, said[-1])
            assert (await device.joins(number + 2)).recovered
        await until_texts(device, *said)


async def test_each_namespace_is_recovered(server: RunningServer, clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(server)
    namespaces = ("/chat", "/feed", "/users")
    async with recovering_device(clients, server.url, token=reader.access_token, namespaces=namespaces) as device:
        await device.ask("call", namespace="/feed", name="feed:subscribe", payload={})
        await writer.rest("POST", f"/users/{reader.id}/follow")
        await reader.rest("POST", f"/users/{writer.id}/follow")
        await device.ask("drop")
        await say(writer, conversation, "missed")
        assert (await writer.rest("POST", "/posts", {"text": "posted"}))[0] == 201
        await device.joins(6)
        assert [joined.recovered for joined in device.joined] == [False] * 3 + [True] * 3
        await device.until_told("/feed", "feed:new")
        await until_texts(device, "missed")
        assert (await writer.rest("POST", "/posts", {"text": "and another"}))[0] == 201
        told = await device.until_told("/feed", "feed:new", 2)
        assert [push["post"]["text"] for push, _ in told] == ["posted", "and another"]


async def test_a_client_that_did_not_ask_sees_no_offset_and_gets_a_new_session(
    server: RunningServer, clients: JavaScript
) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token, recovery=False) as device:
        first = await device.joins(1)
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        assert (await device.ask("known", namespace=CHAT))["pid"] is None
        await device.ask("drop")
        back = await device.joins(2)
        await say(writer, conversation, "two")
        await until_texts(device, "one", "two")
        assert offsets(device) == [None, None]
        assert not back.recovered and back.sid != first.sid
        assert device.told(CHAT, "resync") == []


@pytest.mark.parametrize("wrong", [{"offset": "AAAAAAAA.1"}, {"offset": ""}, {"pid": "0000.nobody"}])
async def test_a_client_that_cannot_be_recovered_gets_a_new_session_and_a_resync(
    server: RunningServer, clients: JavaScript, wrong: dict[str, str]
) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        first, known = await device.joins(1), await device.ask("known", namespace=CHAT)
        await device.ask("pretend", namespace=CHAT, **wrong)
        await device.ask("drop")
        back = await device.joins(2)
        ((resync, _),) = await device.until_told(CHAT, "resync")
        assert resync == RESYNC_ALL
        assert not back.recovered and back.sid != first.sid
        assert (await device.ask("known", namespace=CHAT))["pid"] not in (known["pid"], None)
        await say(writer, conversation, "two")
        await until_texts(device, "one", "two")


async def test_a_stale_offset_of_an_earlier_session_recovers_nothing(
    server: RunningServer, clients: JavaScript
) -> None:
    """Clients repeat the offset of a lost session with the private id of the next one."""
    writer, reader, conversation = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        stale = (await device.ask("known", namespace=CHAT))["offset"]
        await device.ask("pretend", namespace=CHAT, pid="0000.nobody")
        await device.ask("drop")
        await device.joins(2)
        await device.until_told(CHAT, "resync")
        await device.ask("pretend", namespace=CHAT, offset=stale)
        await device.ask("drop")
        assert not (await device.joins(3)).recovered
        await device.until_told(CHAT, "resync", 2)
        # With the last offset that it got it is recovered again.
        await device.ask("drop")
        assert (await device.joins(4)).recovered
        assert texts(device) == ["one"]


async def test_a_session_is_given_to_its_person_only(server: RunningServer, clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(server)
    async with (
        recovering_device(clients, server.url, token=reader.access_token) as device,
        recovering_device(clients, server.url, token=writer.access_token) as thief,
    ):
        known = await device.ask("known", namespace=CHAT)
        await thief.ask("pretend", namespace=CHAT, pid=known["pid"])
        await thief.ask("drop")
        assert not (await thief.joins(2)).recovered
        await thief.until_told(CHAT, "resync")
        await device.ask("drop")
        await say(writer, conversation, "for the reader")
        assert (await device.joins(2)).recovered
        await until_texts(device, "for the reader")


async def test_the_token_is_checked_anew(server: RunningServer, clients: JavaScript) -> None:
    _, reader, _ = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        await device.ask("auth", auth={"recovery": True, "token": "no token at all"})
        await device.ask("drop")
        await device.until(lambda: bool(device.refused))
        assert device.refused[0]["code"] == "unauthenticated"


async def test_a_revoked_login_gets_nothing_back(server: RunningServer, clients: JavaScript) -> None:
    _, reader, _ = await two_who_talk(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        known = await device.ask("known", namespace=CHAT)
        assert known["pid"]
        status, _ = await server.rest("POST", "/auth/logout", {"refresh_token": reader.refresh_token})
        assert status == 200
        await device.until_told(CHAT, "session:revoked")
        status, answer = await server.rest(
            "POST", "/auth/login", {"login": reader.username, "password": reader.password}
        )
        assert status == 200
        assert server.node.hub.sessions(CHAT) == () or all(
            session.recovery_state is None for session in server.node.hub.sessions(CHAT)
        )
        async with recovering_device(
            clients, server.url, token=answer["data"]["access_token"], pid=known["pid"]
        ) as other:
            assert not other.joined[0].recovered
            await other.until_told(CHAT, "resync")


async def test_a_room_that_was_created_meanwhile_is_entered(server: RunningServer, clients: JavaScript) -> None:
    writer, reader = await two(server)
    async with recovering_device(clients, server.url, token=reader.access_token) as device:
        await device.ask("drop")
        opened = await writer.do(CHAT, "conversation:open", {"user_id": reader.id})
        conversation = opened["conversation"]["id"]
        await say(writer, conversation, "one")
        assert (await device.joins(2)).recovered
        await say(writer, conversation, "two")
        await device.until(lambda: "two" in texts(device))
        scopes = [args[0]["scope"] for args in device.told(CHAT, "resync")]
        assert texts(device) == ["one", "two"] or scopes == [f"conversation:{conversation}"]


async def test_nothing_is_lost_or_doubled_while_many_write(server: RunningServer, clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(server)
    devices = [await writer.device() for _ in range(4)]
    watcher = await reader.device()
    async with (
        recovering_device(clients, server.url, token=reader.access_token) as device,
        recovering_device(clients, server.url, token=reader.access_token, transports=["polling"]) as polling,
        recovering_device(clients, server.url, token=reader.access_token, msgpack=True) as packed,
    ):
        restless = [device, polling, packed]

        async with much_writing(devices, conversation) as written:
            for lost in range(1, TIMES_LOST + 1):
                for one in restless:
                    await one.ask("slip" if lost % 2 and one is not polling else "drop")
                await asyncio.gather(*(one.joins(lost + 1) for one in restless))
        steady = await hear(watcher, CREATED, len(written))
        for one in restless:
            await one.until_told(CHAT, CREATED, len(written))
            assert texts(one) == [push["message"]["text"] for push in steady]
            assert all(joined.recovered for joined in one.joined[1:])
