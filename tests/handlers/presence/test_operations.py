"""Who is online, as sockets on two nodes see it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import orjson
import pytest

from realtime.presence.tracker import PUBLISH_EVERY_S
from realtime.presence.watches import OFFLINE_AFTER_S
from server.config import Settings
from tests.kit.device import Device
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.kit.side_by_side import side_by_side

CHAT = "/chat"
GRACE_S = 1.0
OFFLINE_IS_TOLD_WITHIN_S = GRACE_S + OFFLINE_AFTER_S + 2 * PUBLISH_EVERY_S


async def test_two_nodes(database_url: str, redis_url: str, subtests: pytest.Subtests) -> None:
    settings = settings_for_tests(database_url, redis_url, presence_grace_s=GRACE_S)
    async with running_server(settings) as one, running_server(settings) as other:
        nodes = [one, other]
        await side_by_side(
            subtests,
            coming_and_going_on_another_node_is_told_once_each(nodes),
            a_reconnect_to_another_node_is_not_told(nodes),
            a_session_that_is_recovered_is_online(nodes),
            a_stopped_node_is_no_event_for_those_who_move(settings),
            a_block_hides_presence(nodes),
            an_ended_watch_gets_no_pushes(nodes),
            rest_answers_without_a_watch(nodes),
            a_long_polling_client_is_online_too(nodes),
        )


async def watch(watcher: Device | Person, *people: Person | str) -> dict[str, int | bool]:
    user_ids = [person if isinstance(person, str) else person.id for person in people]
    online: dict[str, int | bool] = (await watcher.do(CHAT, "presence:watch", {"user_ids": user_ids}))["online"]
    return online


async def coming_and_going_on_another_node_is_told_once_each(nodes: list[RunningServer]) -> None:
    one, other = nodes
    ada, bea = await one.people("come.ada", "come.bea")
    watcher = await ada.device()
    before = await watch(watcher, bea)
    assert list(before) == [bea.id] and before[bea.id] is not True
    phone, laptop = await other.device(bea.access_token), await other.device(bea.access_token)
    come = await watcher.expect_push("presence:changed")
    assert come["user_id"] == bea.id and come["online"] is True
    assert await watch(watcher, bea) == {bea.id: True}
    await phone.close()
    await watcher.expect_silence("presence:changed", within_s=2 * GRACE_S)
    await laptop.close()
    gone = await watcher.expect_push("presence:changed", timeout_s=20)
    assert gone["user_id"] == bea.id and gone["online"] is False
    assert come["last_active_ms"] <= gone["last_active_ms"]
    assert await watch(watcher, bea) == {bea.id: gone["last_active_ms"]}
    await watcher.expect_silence("presence:changed", within_s=1.5)


async def a_reconnect_to_another_node_is_not_told(nodes: list[RunningServer]) -> None:
    one, other = nodes
    ada, bea = await one.people("move.ada", "move.bea")
    watcher = await ada.device()
    await watch(watcher, bea)
    device = await one.device(bea.access_token)
    assert (await watcher.expect_push("presence:changed"))["online"] is True
    for node in (other, one, other):
        await device.close()
        device = await node.device(bea.access_token)
    await watcher.expect_silence("presence:changed", within_s=OFFLINE_IS_TOLD_WITHIN_S)


async def a_session_that_is_recovered_is_online(nodes: list[RunningServer]) -> None:
    one, _ = nodes
    ada, bea = await one.people("rec.ada", "rec.bea")
    auth: dict[str, object] = {"token": bea.access_token, "recovery": True}
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.aclose()
            websocket = await stack.enter_async_context(
                one.http.ws_connect(f"{one.url}/socket.io/?EIO=4&transport=websocket")
            )
            await websocket.receive_str()
            await websocket.send_str(f"40{CHAT},{orjson.dumps(auth).decode()}")
            answer = await websocket.receive_str(timeout=20)
            assert answer.startswith(f"40{CHAT},"), answer
            auth |= {name: value for name, value in orjson.loads(answer.partition(",")[2]).items() if name == "pid"}
        await asyncio.sleep(GRACE_S + 2)
        assert await watch(ada, bea) == {bea.id: True}


async def a_stopped_node_is_no_event_for_those_who_move(settings: Settings) -> None:
    async with running_server(settings) as one:
        ada, bea = await one.people("stop.ada", "stop.bea")
        watcher = await ada.device()
        await watch(watcher, bea)
        async with running_server(settings) as other:
            await other.device(bea.access_token)
            assert (await watcher.expect_push("presence:changed"))["online"] is True
        await one.device(bea.access_token)
        await watcher.expect_silence("presence:changed", within_s=OFFLINE_IS_TOLD_WITHIN_S)


async def a_block_hides_presence(nodes: list[RunningServer]) -> None:
    one, other = nodes
    ada, bea, cid = await one.people("block.ada", "block.bea", "block.cid")
    watcher = await ada.device()
    assert set(await watch(watcher, bea, cid)) == {bea.id, cid.id}
    await bea.do("/users", "user:block", {"user_id": ada.id})
    assert set(await watch(watcher, cid, "1")) == {cid.id}
    for person in (bea, cid):
        await other.device(person.access_token)
    assert (await watcher.expect_push("presence:changed"))["user_id"] == cid.id
    await watcher.expect_silence("presence:changed", within_s=1.5)
    assert await watch(watcher, bea) == {}
    assert await watch(bea, ada) == {}


async def an_ended_watch_gets_no_pushes(nodes: list[RunningServer]) -> None:
    one, other = nodes
    ada, bea, cid, dan = await one.people("un.ada", "un.bea", "un.cid", "un.dan")
    watcher = await ada.device()
    await watch(watcher, bea, cid, dan)
    await watcher.do(CHAT, "presence:unwatch", {"user_ids": [bea.id]})
    for person in (bea, cid):
        await other.device(person.access_token)
    assert (await watcher.expect_push("presence:changed"))["user_id"] == cid.id
    await watcher.do(CHAT, "presence:unwatch")
    await other.device(dan.access_token)
    await watcher.expect_silence("presence:changed", within_s=2.5)


async def rest_answers_without_a_watch(nodes: list[RunningServer]) -> None:
    one, _ = nodes
    ada, bea = await one.people("rest.ada", "rest.bea")
    await bea.device()
    watcher = await ada.device()
    await watch(watcher, bea)
    if (await watch(watcher, bea))[bea.id] is not True:
        await watcher.expect_push("presence:changed")
    status, answer = await ada.rest("POST", "/presence", {"user_ids": [bea.id]})
    assert (status, answer["data"]) == (200, {"online": {bea.id: True}})


async def a_long_polling_client_is_online_too(nodes: list[RunningServer]) -> None:
    one, other = nodes
    ada, bea = await one.people("poll.ada", "poll.bea")
    watcher = await ada.device()
    await watch(watcher, bea)
    await other.rest("GET", "/events", token=bea.access_token)
    assert (await watcher.expect_push("presence:changed"))["online"] is True


async def test_a_flood_of_watches_is_refused(server: RunningServer) -> None:
    ada = await server.person("flood.ada")
    device = await ada.device()
    await watch(device, *map(str, range(1, 1_001)))
    bea, *others = await server.people("flood.bea", "flood.cid")
    await watch(device, bea, *others)
    too_many = await device.call(CHAT, "presence:watch", {"user_ids": [str(number) for number in range(1, 1_002)]})
    assert too_many["error"]["code"] == "invalid_payload"
    over = await device.call(CHAT, "presence:watch", {"user_ids": [str(number) for number in range(1, 1_001)]})
    assert over["error"]["code"] == "too_large"
    assert set(await watch(device, bea)) == {bea.id}
