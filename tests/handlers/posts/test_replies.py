"""Who may comment on a post, and which posts are shown after a warning."""

from typing import Any

import pytest

from tests.handlers.posts.test_operations import publish, read, refusal
from tests.kit.server import Person, RunningServer


async def may_comment(person: Person, post: dict[str, Any]) -> bool:
    """What the post says, which is what happens."""
    told: bool = (await read(person, post))["viewer"]["may_comment"]
    answer = await person.call("/posts", "comment:create", {"post_id": post["id"], "text": "Well said"})
    assert answer["ok"] or answer["error"]["code"] == "forbidden"
    assert answer["ok"] == told
    return told


@pytest.mark.parametrize(
    ("replies", "allowed"),
    [
        ("everyone", {"author", "follower", "mentioned", "stranger"}),
        ("followers", {"author", "follower"}),
        ("mentioned", {"author", "mentioned"}),
        ("nobody", {"author"}),
    ],
)
async def test_comments_are_taken_from_whom_the_author_chooses(
    server: RunningServer, replies: str, allowed: set[str]
) -> None:
    names = ("author", "follower", "mentioned", "stranger")
    people = dict(zip(names, await server.people(*[f"{replies}_{name}" for name in names]), strict=True))
    await people["follower"].do("/users", "user:follow", {"user_id": people["author"].id})
    post = await publish(people["author"], f"@{replies}_mentioned, what do you think?", replies=replies)
    assert post["replies"] == replies
    assert {name for name, person in people.items() if await may_comment(person, post)} == allowed
    listed = await people["stranger"].do("/posts", "post:list", {"user_id": people["author"].id})
    assert listed["items"][0]["viewer"]["may_comment"] == ("stranger" in allowed)


async def test_a_changed_mind_holds_for_the_next_comment_and_not_for_a_retry(server: RunningServer) -> None:
    ada, bea = await server.people("mind_ada", "mind_bea")
    post = await publish(ada)
    comment = {"post_id": post["id"], "text": "Once", "client_id": "once"}
    made = await bea.do("/posts", "comment:create", comment)
    changed = (await ada.do("/posts", "post:update", {"post_id": post["id"], "replies": "nobody"}))["post"]
    assert (changed["replies"], changed["version"]) == ("nobody", 2)
    assert await bea.do("/posts", "comment:create", comment) == made
    assert await refusal(bea, "comment:create", {**comment, "client_id": "twice"}) == "forbidden"
    under = {"post_id": post["id"], "text": "A reply", "parent_id": made["comment"]["id"]}
    assert await refusal(bea, "comment:create", under) == "forbidden"
    await ada.do("/posts", "comment:create", under)
    await ada.do("/posts", "post:update", {"post_id": post["id"], "visibility": "private"})
    assert await refusal(bea, "comment:create", under) == "not_found"


async def test_an_author_warns_of_a_post(server: RunningServer) -> None:
    ada, bea = await server.people("warn_ada", "warn_bea")
    plain, warned = await publish(ada), await publish(ada, sensitive=True)
    assert (plain["sensitive"], warned["sensitive"]) == (False, True)
    await ada.do("/posts", "post:update", {"post_id": plain["id"], "sensitive": True})
    seen = await read(bea, plain)
    assert (seen["sensitive"], seen["version"]) == (True, 2)
