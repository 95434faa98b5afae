"""Whoever did something can take it back, whatever happened to its object since; and nothing is told by the answer.

Each case takes back one act of one's own, after each of the things that may have happened meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import asyncpg
import pytest

from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.kit.server import PASSWORD, Person, RunningServer

UNKNOWN_ID = "1"

TAKES_BACK = {
    "auth:logout",
    "auth:revoke",
    "bookmark:remove",
    "comment:delete",
    "comment:unlike",
    "feed:unsubscribe",
    "filter:remove",
    "post:delete",
    "post:unlike",
    "post:unshare",
    "post:unwatch",
    "presence:unwatch",
    "user:unblock",
    "user:delete",  # tests/handlers/accounts/test_deletion.py
    "user:unfollow",
    "user:unmute",
}
"""Every command that undoes what its caller did."""

VERBS = ("delete", "leave", "logout", "remove", "revoke", "undo")


class Scene(NamedTuple):
    """`ada` did everything that can be taken back, to `bea` and on a post of hers."""

    database_url: str
    ada: Person
    bea: Person
    post_id: str
    comment_id: str
    other_login: Mapping[str, Any]

    async def sql(self, statement: str, *values: object) -> Any:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()


async def make_scene(server: RunningServer, database_url: str, prefix: str) -> Scene:
    ada, bea = await server.people(f"{prefix}.ada", f"{prefix}.bea")
    await ada.do("/users", "user:follow", {"user_id": bea.id})
    await ada.do("/users", "user:mute", {"user_id": bea.id})
    post = (await bea.do("/posts", "post:create", {"text": "For followers", "visibility": "followers"}))["post"]
    await ada.do("/posts", "post:like", {"post_id": post["id"]})
    await ada.do("/posts", "bookmark:add", {"post_id": post["id"]})
    await bea.do("/posts", "post:update", {"post_id": post["id"], "visibility": "public"})
    await ada.do("/posts", "post:share", {"post_id": post["id"]})
    await bea.do("/posts", "post:update", {"post_id": post["id"], "visibility": "followers"})
    await ada.do("/posts", "post:watch", {"post_id": post["id"]})
    await ada.do("/users", "filter:set", {"phrase": "spoiler"})
    comment = await ada.do("/posts", "comment:create", {"post_id": post["id"], "text": "Mine"})
    await ada.do("/posts", "comment:like", {"comment_id": comment["comment"]["id"]})
    _, login = await server.rest("POST", "/auth/login", {"login": ada.username, "password": PASSWORD})
    return Scene(database_url, ada, bea, post["id"], comment["comment"]["id"], login["data"])


async def nothing(scene: Scene) -> None:
    pass


async def unfollowed(scene: Scene) -> None:
    await scene.ada.do("/users", "user:unfollow", {"user_id": scene.bea.id})


async def blocked_by_bea(scene: Scene) -> None:
    await scene.bea.do("/users", "user:block", {"user_id": scene.ada.id})


async def blocked_by_ada(scene: Scene) -> None:
    await scene.ada.do("/users", "user:block", {"user_id": scene.bea.id})


async def post_made_private(scene: Scene) -> None:
    await scene.bea.do("/posts", "post:update", {"post_id": scene.post_id, "visibility": "private"})


async def post_deleted(scene: Scene) -> None:
    await scene.bea.do("/posts", "post:delete", {"post_id": scene.post_id})


async def all_of_it(scene: Scene) -> None:
    await blocked_by_ada(scene)
    await scene.sql("INSERT INTO blocks (blocker_id, blocked_id) VALUES ($1, $2)", int(scene.bea.id), int(scene.ada.id))
    await post_deleted(scene)


Event = Callable[[Scene], Awaitable[None]]

MEANWHILE: Mapping[Event, bool] = {
    nothing: True,
    unfollowed: False,
    blocked_by_bea: False,
    blocked_by_ada: False,
    post_made_private: False,
    post_deleted: False,
    all_of_it: False,
}
"""What happened meanwhile, and whether ada sees the post afterwards."""


def test_every_command_that_takes_back_is_listed() -> None:
    names = {bound.command.name for bound in Registry(FEATURES).commands()}
    found = {name for name in names if (verb := name.partition(":")[2]).startswith("un") or verb in VERBS}
    assert found == TAKES_BACK


async def test_what_one_did_can_be_taken_back(server: RunningServer, database_url: str) -> None:
    await asyncio.gather(*[check(server, database_url, *case) for case in MEANWHILE.items()])


async def check(server: RunningServer, database_url: str, meanwhile: Event, is_seen: bool) -> None:
    scene = await make_scene(server, database_url, meanwhile.__name__)
    ada, bea, post_id = scene.ada, scene.bea, scene.post_id
    await meanwhile(scene)
    unliked = {"post_id": post_id, "liked": False}
    not_bookmarked = {"post_id": post_id, "bookmarked": False}
    seen = {"like_count": 0} if is_seen else {}
    unfollowed = {"following": False, "requested": False}
    for turn in range(2):
        assert await ada.do("/posts", "post:unlike", {"post_id": post_id}) == {**unliked, **seen}
        assert await ada.rest("DELETE", f"/posts/{post_id}/likes") == (200, {"ok": True, "data": {**unliked, **seen}})
        assert await ada.do("/posts", "bookmark:remove", {"post_id": post_id}) == not_bookmarked
        assert await ada.do("/posts", "post:unshare", {"post_id": post_id}) == {"post_id": post_id, "shared": False}
        comment = {"comment_id": scene.comment_id}
        seen_comment = seen if turn == 0 else {}
        assert await ada.do("/posts", "comment:unlike", comment) == {**comment, "liked": False, **seen_comment}
        assert await ada.do("/posts", "comment:delete", comment) == {}
        assert await ada.do("/chat", "presence:unwatch", {"user_ids": [bea.id]}) == {}
        assert await ada.do("/feed", "feed:unsubscribe") == {}
        assert await ada.do("/users", "filter:remove", {"phrase": "spoiler"}) == {"filters": []}
        assert await ada.do("/posts", "post:unwatch", {"post_id": post_id}) == {}
    for _ in range(2):
        assert await ada.do("/users", "user:unfollow", {"user_id": bea.id}) == unfollowed
        assert await ada.do("/users", "user:unblock", {"user_id": bea.id}) == {"blocked": False}
        assert await ada.do("/users", "user:unmute", {"user_id": bea.id}) == {"muted": False}
        assert await bea.do("/posts", "post:delete", {"post_id": post_id}) == {}
    counts = "SELECT like_count + comment_count + share_count FROM posts WHERE id = $1"
    assert await scene.sql(counts, int(post_id)) == 0
    for left in (
        "SELECT count(*) FROM post_likes WHERE user_id = $1",
        "SELECT count(*) FROM comment_likes WHERE user_id = $1",
        "SELECT count(*) FROM comments WHERE author_id = $1 AND deleted_at IS NULL",
        "SELECT count(*) FROM posts WHERE author_id = $1 AND deleted_at IS NULL",
        "SELECT count(*) FROM bookmarks WHERE user_id = $1 AND removed_at IS NULL",
        "SELECT count(*) FROM word_filters WHERE user_id = $1",
        "SELECT count(*) FROM follows WHERE follower_id = $1",
        "SELECT count(*) FROM blocks WHERE blocker_id = $1",
        "SELECT count(*) FROM mutes WHERE muter_id = $1",
    ):
        assert await scene.sql(left, int(ada.id)) == 0, left


async def test_taking_back_what_never_was_tells_nothing(server: RunningServer, database_url: str) -> None:
    """The same answer for what is hidden, what nobody ever made, and what is somebody else's."""
    scene = await make_scene(server, database_url, "never")
    cleo = await server.person("never.cleo")
    for post_id in (scene.post_id, UNKNOWN_ID):
        answer = await cleo.do("/posts", "post:unlike", {"post_id": post_id})
        assert answer == {"post_id": post_id, "liked": False}
        answer = await cleo.do("/posts", "post:unshare", {"post_id": post_id})
        assert answer == {"post_id": post_id, "shared": False}
        answer = await cleo.do("/posts", "bookmark:remove", {"post_id": post_id})
        assert answer == {"post_id": post_id, "bookmarked": False}
    for comment_id in (scene.comment_id, UNKNOWN_ID):
        answer = await cleo.do("/posts", "comment:unlike", {"comment_id": comment_id})
        assert answer == {"comment_id": comment_id, "liked": False}
    assert (await scene.bea.do("/posts", "post:get", {"post_id": scene.post_id}))["post"]["like_count"] == 1
    await scene.bea.do("/users", "user:block", {"user_id": cleo.id})
    for user_id in (scene.bea.id, cleo.id, UNKNOWN_ID):
        named = {"user_id": user_id}
        assert await cleo.do("/users", "user:unfollow", named) == {"following": False, "requested": False}
        assert await cleo.do("/users", "user:unblock", named) == {"blocked": False}
        assert await cleo.do("/users", "user:unmute", named) == {"muted": False}
    assert await scene.sql("SELECT count(*) FROM blocks WHERE blocked_id = $1", int(cleo.id)) == 1
    comments = [await cleo.call("/posts", "comment:delete", {"comment_id": id_}) for id_ in (scene.comment_id, "1")]
    assert comments[0] == comments[1]


@pytest.mark.parametrize("ended", ["auth:logout", "auth:revoke"])
async def test_a_login_that_was_ended_can_be_ended_again_in_both_ways(
    server: RunningServer, database_url: str, ended: str
) -> None:
    scene = await make_scene(server, database_url, ended.replace(":", "."))
    _, sessions = await scene.ada.rest("GET", "/auth/sessions")
    (session_id,) = (item["id"] for item in sessions["data"]["items"] if not item["current"])
    calls = {
        "auth:logout": {"refresh_token": scene.other_login["refresh_token"]},
        "auth:revoke": {"session_id": session_id},
    }
    device = await scene.ada.device(namespaces=["/auth"])
    assert await device.do("/auth", ended, calls[ended]) == {}
    for name, payload in calls.items():
        assert await device.do("/auth", name, payload) == {}
