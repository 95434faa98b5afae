"""A role, a ban and a deletion hold on every node at once, and are noted."""

from __future__ import annotations

from functools import partial

import asyncpg
import pytest

from handlers.accounts import acts
from handlers.accounts.acts import OPERATOR, Act
from realtime.contract.errors import CommandError
from sql.ids import PostId, UserId
from tests.handlers.accounts.hidden_person import (
    Nodes,
    code_of,
    feed_cursor,
    feed_is_reset,
    log_in,
    log_in_again,
    make_scene,
    require_back,
    require_gone,
)
from tests.kit.server import RunningServer


async def test_a_banned_user_and_what_they_published_do_not_exist_until_they_are_unbanned(nodes: Nodes) -> None:
    one, other = nodes
    scene = await make_scene(nodes, "ban")
    ada, bea = scene.ada, scene.bea
    at_home = await ada.main_device()
    away = await other.device(ada.access_token)
    cursor = await feed_cursor(bea)

    await one.node.operator.run(lambda ctx: acts.ban(ctx, Act(reason="spam"), ada.username.upper()))
    assert (await bea.expect_push("feed:removed"))["post_ids"] == [scene.post]
    assert await bea.expect_push("resync") == {"scope": f"post:{scene.post}"}
    for device in (at_home, away):
        await device.expect_closed()
    await require_gone(scene)
    assert await feed_is_reset(bea, cursor)
    for server in nodes:
        assert (await server.rest("GET", "/users/me", token=ada.access_token))[0] == 401
        status, answer = await log_in(server, ada)
        assert (status, answer["error"]["code"]) == (403, "forbidden")
        status, answer = await server.rest("POST", "/auth/refresh", {"refresh_token": ada.refresh_token})
        assert (status, answer["error"]["code"]) == (403, "forbidden")
    wrong = {"login": ada.username, "password": "a wrong passphrase"}
    assert (await one.rest("POST", "/auth/login", wrong))[0] == 401

    cursor = await feed_cursor(bea)
    await one.node.operator.run(lambda ctx: acts.unban(ctx, OPERATOR, ada.username))
    assert await bea.expect_push("resync") == {"scope": "feed"}
    await require_back(scene)
    assert await feed_is_reset(bea, cursor)
    again = await log_in_again(other, ada)
    await bea.do("/posts", "post:watch", {"post_id": scene.post})
    await again.do("/posts", "comment:create", {"post_id": scene.post, "text": "I am back"})
    assert (await bea.expect_push("comment:created"))["comment"]["text"] == "I am back"


async def test_a_block_outlives_a_ban(nodes: Nodes) -> None:
    """What a block forbids stays forbidden when a ban ends."""
    scene = await make_scene(nodes, "both")
    await scene.bea.do("/users", "user:block", {"user_id": scene.ada.id})
    for act in (acts.ban, acts.unban):
        await nodes[0].node.operator.run(partial(act, act=OPERATOR, username=scene.ada.username))
    assert await code_of(scene.bea, "/posts", "post:get", {"post_id": scene.post}) == "not_found"


async def test_a_deleted_post_is_gone_on_every_node(nodes: Nodes) -> None:
    scene = await make_scene(nodes, "post")
    post_id = PostId(int(scene.post))
    await nodes[0].node.operator.run(lambda ctx: acts.delete_post(ctx, OPERATOR, post_id))
    for _ in range(2):  # to those who watch it, and to those whose feed has it
        assert (await scene.bea.expect_push("post:deleted"))["post_id"] == scene.post
    assert await code_of(scene.ada, "/posts", "post:get", {"post_id": scene.post}) == "not_found"
    assert (await scene.ada.do("/users", "user:me"))["user"]["post_count"] == 0
    with pytest.raises(CommandError, match=f"There is no post {scene.post}"):
        await nodes[0].node.operator.run(lambda ctx: acts.delete_post(ctx, OPERATOR, post_id))


async def test_every_act_is_noted_with_who_whom_and_why(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("noted.ada", "noted.bea")
    post = (await ada.do("/posts", "post:create", {"text": "Hello"}))["post"]["id"]
    by_bea = Act(UserId(int(bea.id)), "because")
    run = server.node.operator.run
    await run(lambda ctx: acts.set_role(ctx, by_bea, "noted.ada", "moderator"))
    await run(lambda ctx: acts.delete_post(ctx, by_bea, PostId(int(post))))
    await run(lambda ctx: acts.ban(ctx, by_bea, "noted.ada"))
    await run(lambda ctx: acts.unban(ctx, OPERATOR, "noted.ada"))
    await run(lambda ctx: acts.delete_user(ctx, OPERATOR, "noted.ada"))
    connection = await asyncpg.connect(database_url)
    try:
        noted = await connection.fetch(
            "SELECT act, role, post_id, actor_id, reason FROM audit WHERE user_id = $1 ORDER BY id", int(ada.id)
        )
        role = await connection.fetchval("SELECT role FROM users WHERE id = $1", int(ada.id))
    finally:
        await connection.close()
    who = int(bea.id)
    assert [tuple(row) for row in noted] == [
        ("role", "moderator", None, who, "because"),
        ("delete_post", None, int(post), who, "because"),
        ("ban", None, None, who, "because"),
        ("unban", None, None, None, ""),
        ("delete_user", None, None, None, ""),
    ]
    assert role == "moderator"
    with pytest.raises(CommandError, match="There is no user nobody"):
        await run(lambda ctx: acts.ban(ctx, OPERATOR, "nobody"))
