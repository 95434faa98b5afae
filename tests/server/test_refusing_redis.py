"""A Redis that is up but refuses to work counts as away: all of docs/outages.md holds, and it heals by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.handlers.chat.talk import CHAT, hear, open_conversation, send
from tests.kit import refusals
from tests.kit.device import Device
from tests.kit.log_watch import watched_log
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

WITHIN_S = 10.0
NAMESPACES = ("/chat", "/users", "/feed")


async def readiness(server: RunningServer) -> tuple[int, str]:
    async with server.http.get(f"{server.url}/ready") as response:
        return response.status, (await response.json())["checks"]["backplane"]


async def until_ready_is(server: RunningServer, status: int) -> str:
    """What `/ready` says of Redis once it answers with this status."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            answered, told = await readiness(server)
            if answered == status:
                return told
            await asyncio.sleep(0.02)


async def poll(person: Person, cursor: str = "") -> dict[str, Any]:
    status, answer = await person.rest("GET", "/events", query={"cursor": cursor, "timeout_s": "0"})
    assert status == 200
    data: dict[str, Any] = answer["data"]
    return data


async def feed_texts(person: Person) -> list[str]:
    return [item["text"] for item in (await person.do("/feed", "feed:page"))["items"]]


async def until_told(device: Device, message: dict[str, Any]) -> None:
    """Waits for the push of a message; an earlier one may come again, since most refusing servers carry out PUBLISH."""
    while (await device.expect_push("message:created"))["message"] != message:
        pass


def at(server: RunningServer, person: Person) -> Person:
    """The same person, calling another node."""
    session = {"user": person.user, "access_token": person.access_token, "refresh_token": person.refresh_token}
    return Person(server, session, person.password)


async def test_all_that_holds_without_redis_holds_while_it_refuses_writes(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    limited = settings_for_tests(database_url, redis_url, rate_limit_factor=0.1)
    lines = watched_log("redis_away", "redis_away_over", "command_failed", "pushes_failed")
    with lines as logged:
        async with running_server(settings) as here, running_server(limited, work=False) as there:
            ada, bea = await here.people("full.ada", "full.bea")
            conversation_id = await open_conversation(ada, bea)
            await bea.do("/users", "user:follow", {"user_id": ada.id})
            await ada.do("/posts", "post:create", {"text": "Before"})
            near = await bea.device(namespaces=NAMESPACES)
            far = await there.device(bea.access_token, namespaces=NAMESPACES)
            cursor = (await poll(bea))["cursor"]
            while await feed_texts(bea) != ["Before"]:
                await asyncio.sleep(0.02)
            async with refusals.refusing(redis_url, "NOREPLICAS"):
                sent = await send(ada, conversation_id, "Stored")
                assert await hear(near, "message:created", 1) == [{"message": sent}], "same-node pushes are live"
                for server in (here, there):
                    assert "NOREPLICAS" in await until_ready_is(server, 503)
                await ada.do("/posts", "post:create", {"text": "Meanwhile"})
                assert await feed_texts(bea) == ["Meanwhile", "Before"], "feeds are read from SQL"
                cid = await here.person("full.cid")  # registering asks for limits by address and by account
                await (await cid.main_device()).do(CHAT, "conversation:list")
                await at(there, cid).do("/users", "user:me")
                assert (await poll(at(there, bea), cursor))["resync"] == "all", "a session elsewhere is not recovered"
                codes = [(await at(there, ada).rest("PUT", "/users/me", {"bio": "x"}))[0] for _ in range(5)]
                assert (codes[0], codes[-1]) == (200, 429), "the node counts by itself"
                device = await at(there, cid).device(namespaces=("/users",))
                assert (await here.rest("POST", "/auth/logout", {"refresh_token": cid.refresh_token}))[0] == 200
                await device.expect_closed(timeout_s=4)  # read from SQL within two seconds
            assert (await far.expect_push("resync"))["scope"] == "all"
            assert (await near.expect_push("resync"))["scope"] == "all"
            for server in (here, there):
                assert await until_ready_is(server, 200) == "ok"
            again = await send(ada, conversation_id, "Again")
            for device in (near, far):
                await until_told(device, again)
            async with asyncio.timeout(WITHIN_S):  # a node that has nothing to publish notices with its next probe
                while [line["event"] for line in logged].count("redis_away_over") < 2:
                    await asyncio.sleep(0.02)
    assert sorted(line["event"] for line in logged) == ["redis_away"] * 2 + ["redis_away_over"] * 2


@pytest.mark.parametrize("code", ["OOM", "READONLY", "NOAUTH"])
async def test_commands_answer_while_redis_refuses_and_pushes_arrive_when_it_works_again(
    server: RunningServer, redis_url: str, code: str
) -> None:
    ada, bea = await server.people(f"ada.{code.lower()}", f"bea.{code.lower()}")
    conversation_id = await open_conversation(ada, bea)
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    assert await feed_texts(bea) == []  # from a list that does not grow meanwhile, and could be read in some states
    device = await bea.device(namespaces=[CHAT])
    with watched_log("command_failed", "pushes_failed", "consumer_failed", "relay_failed") as failures:
        async with refusals.refusing(redis_url, code):
            sent = await send(ada, conversation_id, "Stored")
            assert await hear(device, "message:created", 1) == [{"message": sent}]
            told = await until_ready_is(server, 503)
            assert code in told
            await ada.do("/posts", "post:create", {"text": "Meanwhile"})
            assert await feed_texts(bea) == ["Meanwhile"]
            await server.person(f"cid.{code.lower()}")
            await poll(bea)
        await device.expect_push("resync")
        await until_ready_is(server, 200)
        await until_told(device, await send(ada, conversation_id, "Again"))
    assert failures == []
