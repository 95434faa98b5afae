"""A mute ends at its time: for reads at once, for devices soon after."""

from __future__ import annotations

import asyncio
import time

import asyncpg

from tests.handlers.mutes.test_operations import WITHIN_S, feed, follow, publish, relation_of, until_heard
from tests.kit.server import RunningServer


async def test_a_mute_that_is_over_ends_as_a_change(server: RunningServer) -> None:
    ada, bea = await server.people("over.ada", "over.bea")
    await follow(ada, bea)
    await publish(bea, "Muted")
    device = await ada.device()
    await device.do("/feed", "feed:subscribe")
    until_ms = int(time.time() * 1000) + 400
    await ada.do("/users", "user:mute", {"user_id": bea.id, "until_ms": until_ms})
    assert await feed(ada) == []
    assert (await device.expect_push("collection:changed"))["upserts"][0]["muted_until_ms"] == until_ms
    cursor = (await ada.do("/users", "sync:pull", {"collections": ["feed", "relations"]}))["cursor"]
    told = await device.expect_push("collection:changed")
    assert told["upserts"] == [
        {"user_id": bea.id, "following": True, "blocked": False, "muted": False, "requested": False}
    ]
    assert time.time() * 1000 >= until_ms
    assert await feed(ada) == ["Muted"]
    changes = (await ada.do("/users", "sync:pull", {"cursor": cursor}))["changes"]
    assert changes["feed"]["reset"] is True and changes["relations"]["upserts"] == told["upserts"]
    await publish(bea, "Heard again")
    await until_heard(device, "Heard again")


async def test_reads_do_not_wait_for_the_sweeper(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("slow.ada", "slow.bea")
    await follow(ada, bea)
    await publish(bea, "Muted")
    await ada.do("/users", "user:mute", {"user_id": bea.id, "until_ms": int(time.time() * 1000) + 300})
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            # What the sweeper has to lock is locked.
            await connection.execute("SELECT FROM users WHERE id = $1 FOR NO KEY UPDATE", int(ada.id))
            async with asyncio.timeout(WITHIN_S):
                while await feed(ada) != ["Muted"]:
                    await asyncio.sleep(0.02)
            assert await connection.fetchval("SELECT count(*) FROM mutes WHERE muter_id = $1", int(ada.id)) == 1
            assert (await ada.do("/users", "user:get", {"user_id": bea.id}))["user"]["viewer"]["muted"] is False
            assert (await relation_of(ada, bea) or {})["muted"] is False
    finally:
        await connection.close()
