"""`post_count` is of the posts that the reader may see, wherever a user stands in an answer."""

from __future__ import annotations

from tests.kit.server import PASSWORD, Person, RunningServer


async def publish(author: Person, visibility: str) -> str:
    answer = await author.do("/posts", "post:create", {"text": "Hello", "visibility": visibility})
    post_id: str = answer["post"]["id"]
    return post_id


async def counts(server: RunningServer, reader: Person, ada: Person, bea: Person, liked: str) -> set[int]:
    """What one reader is told in every place where ada stands; bea follows her and is followed by her."""
    answers = [
        [(await reader.do("/users", "user:get", {"user_id": ada.id}))["user"]],
        [(await reader.do("/users", "user:get", {"username": ada.username}))["user"]],
        (await reader.do("/users", "user:followers", {"user_id": bea.id}))["items"],
        (await reader.do("/users", "user:following", {"user_id": bea.id}))["items"],
        (await reader.do("/posts", "post:likers", {"post_id": liked}))["items"],
    ]
    if reader is ada:
        _, login = await server.rest("POST", "/auth/login", {"login": ada.username, "password": PASSWORD})
        token = {"refresh_token": login["data"]["refresh_token"]}
        _, refreshed = await server.rest("POST", "/auth/refresh", token)
        answers += [
            [login["data"]["user"], refreshed["data"]["user"]],
            [(await ada.do("/users", "user:me"))["user"]],
            [(await ada.do("/users", "user:update", {"bio": "Here"}))["user"]],
        ]
    found = [[user["post_count"] for user in users if user["id"] == ada.id] for users in answers]
    return {count for places in found for count in places} if all(found) else set()


async def test_everybody_is_told_how_many_posts_they_may_see(server: RunningServer) -> None:
    ada, bea, stranger, blocker = await server.people("pc_ada", "pc_bea", "pc_stranger", "pc_blocker")
    for one, other in ((ada, bea), (bea, ada)):
        await one.do("/users", "user:follow", {"user_id": other.id})
    liked = await publish(stranger, "public")
    await ada.do("/posts", "post:like", {"post_id": liked})
    await blocker.do("/users", "user:block", {"user_id": ada.id})
    public, _, hidden = [await publish(ada, visibility) for visibility in ("public", "followers", "followers")]

    async def told() -> list[set[int]]:
        return [await counts(server, reader, ada, bea, liked) for reader in (ada, bea, stranger)]

    assert await told() == [{3}, {3}, {1}]
    await ada.do("/posts", "post:update", {"post_id": hidden, "visibility": "private"})
    assert await told() == [{3}, {2}, {1}]
    seen = await blocker.do("/users", "user:get", {"user_id": ada.id})
    assert (seen["user"]["post_count"], seen["user"]["viewer"]["blocked"]) == (0, True)
    await ada.do("/posts", "post:update", {"post_id": public, "visibility": "followers"})
    assert await told() == [{3}, {2}, {0}]
    await ada.do("/posts", "post:update", {"post_id": hidden, "visibility": "public"})
    alone = await publish(ada, "private")
    assert await told() == [{4}, {3}, {1}]
    await ada.do("/posts", "post:delete", {"post_id": alone})
    await bea.do("/users", "user:unfollow", {"user_id": ada.id})
    assert (await bea.do("/users", "user:get", {"user_id": ada.id}))["user"]["post_count"] == 1
    await ada.do("/posts", "post:delete", {"post_id": hidden})
    assert (await bea.do("/users", "user:get", {"user_id": ada.id}))["user"]["post_count"] == 0
    assert (await ada.do("/users", "user:me"))["user"]["post_count"] == 2
