"""All nodes learn of a hidden person also where the process that hid them died before it told them."""

from __future__ import annotations

import asyncpg

from tests.handlers.accounts.hidden_person import Nodes, make_scene


async def test_the_fact_of_an_act_tells_what_the_act_did_not(nodes: Nodes, database_url: str) -> None:
    scene = await make_scene(nodes, "fact")
    connection = await asyncpg.connect(database_url)

    async def set_hidden(name: str, suspended: str) -> None:
        async with connection.transaction():
            await connection.execute(f"UPDATE users SET suspended_at = {suspended} WHERE id = $1", int(scene.ada.id))
            await connection.execute(
                "INSERT INTO facts (lane, name, payload)"
                " VALUES (fact_lane($1), $2, jsonb_build_object('user_id', $1::text))",
                int(scene.ada.id),
                name,
            )

    try:
        await set_hidden("account.hidden", "now()")
        assert await scene.bea.expect_push("resync") == {"scope": f"post:{scene.post}"}
        assert (await scene.bea.expect_push("feed:removed"))["post_ids"] == [scene.post]
        await set_hidden("account.shown", "NULL")
        assert await scene.bea.expect_push("resync") == {"scope": "feed"}
    finally:
        await connection.close()
    await scene.bea.do("/posts", "post:watch", {"post_id": scene.post})
    await scene.ada.do("/posts", "comment:create", {"post_id": scene.post, "text": "Still here"})
    assert (await scene.bea.expect_push("comment:created"))["comment"]["text"] == "Still here"
