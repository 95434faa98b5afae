"""The official JavaScript client reconnects to a different node."""

from __future__ import annotations

import asyncio

import pytest

from tests.handlers.chat.talk import CHAT, hear
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import recovering_device
from tests.kit.server import RunningServer
from tests.recovery.talk import CREATED, TIMES_LOST, much_writing, offsets, say, texts, two_who_talk, until_texts

WAYS = pytest.mark.parametrize("way", ["drop", "slip"])


@WAYS
@pytest.mark.parametrize("msgpack", [False, True], ids=["json", "msgpack"])
async def test_what_was_missed_comes_once_and_in_order(
    nodes: list[RunningServer], clients: JavaScript, way: str, msgpack: bool
) -> None:
    writer, reader, conversation = await two_who_talk(nodes[0])
    async with recovering_device(clients, nodes[1].url, token=reader.access_token, msgpack=msgpack) as device:
        first = await device.joins(1)
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        known = await device.ask("known", namespace=CHAT)
        await device.ask("aim", url=nodes[2].url)
        await device.ask(way)
        await say(writer, conversation, "two", "three")
        back = await device.joins(2)
        await say(writer, conversation, "four")
        await until_texts(device, "one", "two", "three", "four")
        assert (back.recovered, back.sid) == (True, first.sid)
        assert (await device.ask("known", namespace=CHAT))["pid"] == known["pid"]
        assert len(set(offsets(device))) == 4 and device.told(CHAT, "resync") == []
        # The old node has removed the session.
        assert nodes[1].node.hub.members(CHAT, f"user:{reader.id}") == ()


@WAYS
async def test_a_session_may_move_to_all_nodes_and_back(
    nodes: list[RunningServer], clients: JavaScript, way: str
) -> None:
    writer, reader, conversation = await two_who_talk(nodes[0])
    async with recovering_device(clients, nodes[0].url, token=reader.access_token) as device:
        said = []
        for number in range(7):
            await device.ask("aim", url=nodes[number % 3].url)
            await device.ask(way)
            # In some rounds no push is sent: then the client reconnects with the same offset as before.
            if number % 3:
                said.append(str(number))
                await say(writer, conversation, said[-1])
            assert (await device.joins(number + 2)).recovered
        await until_texts(device, *said)


async def test_topics_move_with_the_session(nodes: list[RunningServer], clients: JavaScript) -> None:
    writer, reader, _ = await two_who_talk(nodes[0])
    assert (await reader.rest("POST", f"/users/{writer.id}/follow"))[0] == 200
    async with recovering_device(clients, nodes[1].url, token=reader.access_token, namespaces=["/feed"]) as device:
        await device.ask("call", namespace="/feed", name="feed:subscribe", payload={})
        await device.ask("aim", url=nodes[2].url)
        await device.ask("drop")
        assert (await writer.rest("POST", "/posts", {"text": "posted"}))[0] == 201
        assert (await device.joins(2)).recovered
        assert (await writer.rest("POST", "/posts", {"text": "and another"}))[0] == 201
        told = await device.until_told("/feed", "feed:new", 2)
        assert [push["post"]["text"] for push, _ in told] == ["posted", "and another"]


@WAYS
async def test_all_namespaces_are_recovered_at_once(nodes: list[RunningServer], clients: JavaScript, way: str) -> None:
    writer, reader, conversation = await two_who_talk(nodes[0])
    namespaces = ("/chat", "/feed", "/users")
    async with recovering_device(clients, nodes[1].url, token=reader.access_token, namespaces=namespaces) as device:
        await device.ask("call", namespace="/feed", name="feed:subscribe", payload={})
        assert (await reader.rest("POST", f"/users/{writer.id}/follow"))[0] == 200
        await device.ask("aim", url=nodes[2].url)
        await device.ask(way)
        await say(writer, conversation, "one", "two")
        assert (await writer.rest("POST", "/posts", {"text": "posted"}))[0] == 201
        await device.joins(6)
        assert [joined.recovered for joined in device.joined[3:]] == [True] * 3
        await until_texts(device, "one", "two")
        ((push, _),) = await device.until_told("/feed", "feed:new")
        assert push["post"]["text"] == "posted"


async def test_a_session_is_given_to_its_person_only(nodes: list[RunningServer], clients: JavaScript) -> None:
    writer, reader, _ = await two_who_talk(nodes[0])
    async with (
        recovering_device(clients, nodes[1].url, token=reader.access_token) as device,
        recovering_device(clients, nodes[2].url, token=writer.access_token) as thief,
    ):
        known = await device.ask("known", namespace=CHAT)
        await thief.ask("pretend", namespace=CHAT, pid=known["pid"])
        await thief.ask("drop")
        assert not (await thief.joins(2)).recovered
        await thief.until_told(CHAT, "resync")


@pytest.mark.parametrize("wrong", [{"offset": "AAAAAAAA.1"}, {"pid": "0000.nobody"}])
async def test_a_client_that_cannot_be_recovered_gets_a_new_session_and_a_resync(
    nodes: list[RunningServer], clients: JavaScript, wrong: dict[str, str]
) -> None:
    writer, reader, conversation = await two_who_talk(nodes[0])
    async with recovering_device(clients, nodes[1].url, token=reader.access_token) as device:
        await say(writer, conversation, "one")
        await until_texts(device, "one")
        await device.ask("pretend", namespace=CHAT, **wrong)
        await device.ask("aim", url=nodes[2].url)
        await device.ask("drop")
        assert not (await device.joins(2)).recovered
        ((resync, _),) = await device.until_told(CHAT, "resync")
        assert resync == {"scope": "all"}
        await say(writer, conversation, "two")
        await until_texts(device, "one", "two")


async def test_nothing_is_lost_or_doubled_while_many_write(nodes: list[RunningServer], clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(nodes[0])
    authors = [await node.device(writer.access_token) for node in nodes]
    watcher = await reader.device()
    async with (
        recovering_device(clients, nodes[0].url, token=reader.access_token) as device,
        recovering_device(clients, nodes[1].url, token=reader.access_token, transports=["polling"]) as polling,
        recovering_device(clients, nodes[2].url, token=reader.access_token, msgpack=True) as packed,
    ):
        restless = [device, polling, packed]

        async with much_writing(authors, conversation) as written:
            for lost in range(1, TIMES_LOST + 1):
                for index, one in enumerate(restless):
                    await one.ask("aim", url=nodes[(lost + index) % 3].url)
                    await one.ask("slip" if lost % 2 and one is not polling else "drop")
                await asyncio.gather(*(one.joins(lost + 1) for one in restless))
        steady = await hear(watcher, CREATED, len(written))
        for one in restless:
            await one.until_told(CHAT, CREATED, len(written))
            assert texts(one) == [push["message"]["text"] for push in steady]
            assert all(joined.recovered for joined in one.joined[1:])
