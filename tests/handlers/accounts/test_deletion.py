"""An account that its user deletes is gone at once, comes back by a login, and is erased after 14 days."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.handlers.accounts.hidden_person import Nodes, log_in, log_in_again, make_scene, require_back, require_gone
from tests.kit.server import running_server, settings_for_tests

WITHIN_S = 20


async def test_a_deleted_account_is_gone_at_once_and_comes_back_with_a_login(nodes: Nodes) -> None:
    one, other = nodes
    scene = await make_scene(nodes, "del")
    ada, bea = scene.ada, scene.bea
    away = await other.device(ada.access_token)
    refused = await ada.call("/users", "user:delete", {"password": "a wrong passphrase"})
    assert (refused["error"]["code"], refused["error"]["fields"]) == ("forbidden", {"password": "is wrong"})
    assert (await ada.rest("DELETE", f"/users/{bea.id}", {"password": ada.password}))[0] == 403

    assert await ada.rest("DELETE", f"/users/{ada.id}", {"password": ada.password}) == (200, {"ok": True, "data": {}})
    await away.expect_closed()
    await require_gone(scene)
    status, answer = await other.rest("POST", "/auth/refresh", {"refresh_token": ada.refresh_token})
    assert (status, answer["error"]["code"]) == (401, "unauthenticated")

    back = await log_in_again(other, ada)
    await require_back(scene)
    assert (await back.do("/users", "user:me"))["user"]["post_count"] == 1
    assert (await log_in(one, ada))[0] == 200


async def test_after_14_days_it_is_erased_and_the_counts_of_others_are_right(
    nodes: Nodes, database_url: str, redis_url: str
) -> None:
    one, _ = nodes
    scene = await make_scene(nodes, "erase")
    ada, bea = scene.ada, scene.bea
    await ada.do("/users", "user:delete", {"password": ada.password})
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "UPDATE users SET deletion_asked_at = deletion_asked_at - interval '15 days' WHERE id = $1", int(ada.id)
        )
        assert (await log_in(one, ada))[0] == 401
        async with running_server(settings_for_tests(database_url, redis_url)), asyncio.timeout(WITHIN_S):
            while not await connection.fetchval("SELECT erased_at FROM users WHERE id = $1", int(ada.id)):
                await asyncio.sleep(0.01)
        left = await connection.fetchrow(
            "SELECT username, email, display_name, password_hash, post_count, follower_count, following_count,"
            " (SELECT count(*) FROM login_sessions s WHERE s.user_id = u.id),"
            " (SELECT count(*) FROM user_networks n WHERE n.user_id = u.id),"
            " (SELECT string_agg(p.text, '') FROM posts p WHERE p.author_id = u.id),"
            " (SELECT string_agg(c.text, '') FROM comments c WHERE c.author_id = u.id)"
            " FROM users u WHERE u.id = $1",
            int(ada.id),
        )
    finally:
        await connection.close()
    assert left is not None
    assert tuple(left) == (f"deleted-{ada.id}", None, "", "", 0, 0, 0, 0, 0, "", "")

    assert (await log_in(one, ada))[0] == 401
    await require_gone(scene)
    me = await bea.do("/users", "user:me")
    assert (me["user"]["follower_count"], me["user"]["following_count"]) == (0, 0)
    post = (await bea.do("/posts", "post:get", {"post_id": scene.bea_post}))["post"]
    assert (post["like_count"], post["comment_count"]) == (0, 1)
    namesake = await one.person(ada.username)
    assert namesake.id != ada.id
