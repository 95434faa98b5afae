import asyncio
from typing import Any

import asyncpg

from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

UNKNOWN_ID = "1"


async def publish(author: Person, text: str = "Good morning", **more: object) -> dict[str, Any]:
    answer = await author.do("/posts", "post:create", {"text": text, **more})
    post: dict[str, Any] = answer["post"]
    return post


async def read(reader: Person, post: dict[str, Any]) -> dict[str, Any]:
    answer = await reader.do("/posts", "post:get", {"post_id": post["id"]})
    found: dict[str, Any] = answer["post"]
    return found


async def refusal(person: Person, name: str, payload: dict[str, Any]) -> str:
    answer = await person.call("/posts", name, payload)
    assert not answer["ok"], answer
    code: str = answer["error"]["code"]
    return code


async def value(database_url: str, query: str, *arguments: object) -> Any:
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def test_a_published_text_is_read_by_others(server: RunningServer) -> None:
    ada, bea = await server.people("text_ada", "text_bea")
    post = await publish(ada, "Line one\nline two e\u0301")
    assert (post["kind"], post["text"], post["visibility"]) == ("text", "Line one\nline two \u00e9", "public")
    assert (post["like_count"], post["comment_count"], post["share_count"]) == (0, 0, 0)
    assert (post["media"], post["tags"], post["mentions"]) == ([], [], [])
    assert "edited_at_ms" not in post
    assert post["author"] == {"id": ada.id, "username": "text_ada", "display_name": "text_ada", "version": 1}

    seen = await read(bea, post)
    assert seen["viewer"]["liked"] is False
    assert seen == post


async def test_a_link_needs_no_text(server: RunningServer) -> None:
    ada = await server.person("link_ada")
    status, answer = await ada.rest("POST", "/posts", {"link": "https://example.org/a"})
    assert status == 201
    post = answer["data"]["post"]
    assert (post["kind"], post["text"], post["link"]) == ("link", "", "https://example.org/a")


async def test_a_retry_gets_the_post_as_it_is_now_and_causes_nothing(database_url: str, redis_url: str) -> None:
    # Nobody works on facts here, so that each one that was stored can be counted.
    async with running_server(settings_for_tests(database_url, redis_url), work=False) as server:
        ada, bea = await server.people("retry_ada", "retry_bea")
        facts = "SELECT count(*) FROM facts WHERE name = 'post.created' AND payload->>'author_id' = $1"
        payload = {"text": "Once", "client_id": "one"}
        tries = await asyncio.gather(*[ada.do("/posts", "post:create", payload) for _ in range(8)])
        assert len({answer["post"]["id"] for answer in tries}) == 1
        post = tries[0]["post"]
        assert (await ada.do("/users", "user:me"))["user"]["post_count"] == 1
        assert await value(database_url, facts, ada.id) == 1

        await bea.do("/posts", "post:like", {"post_id": post["id"]})
        assert (await publish(ada, "Once", client_id="one"))["like_count"] == 1
        others: list[dict[str, object]] = [
            {"text": "Twice"},
            {"visibility": "followers"},
            {"link": "https://example.org"},
            {"replies": "nobody"},
            {"sensitive": True},
        ]
        for other in others:
            assert await refusal(ada, "post:create", {**payload, **other}) == "conflict"
        assert (await publish(bea, "Once", client_id="one"))["id"] != post["id"]

        await ada.do("/posts", "post:update", {"post_id": post["id"], "text": "Edited"})
        assert (await publish(ada, "Once", client_id="one"))["text"] == "Edited"
        await ada.do("/posts", "post:delete", {"post_id": post["id"]})
        assert await refusal(ada, "post:create", payload) == "not_found"
        assert await value(database_url, facts, ada.id) == 1


async def test_the_idempotency_key_of_rest_is_the_client_id(server: RunningServer) -> None:
    ada = await server.person("key_ada")
    first = await publish(ada, "Once", client_id="key")
    headers = {"Idempotency-Key": "key"}
    status, answer = await server.rest("POST", "/posts", {"text": "Once"}, token=ada.access_token, headers=headers)
    assert (status, answer["data"]["post"]["id"]) == (201, first["id"])


async def test_only_followers_see_what_is_for_followers(server: RunningServer) -> None:
    ada, bea, cleo = await server.people("only_ada", "only_bea", "only_cleo")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    hidden, shown = await publish(ada, "For you", visibility="followers"), await publish(ada, "For all")
    listing = {"user_id": ada.id}
    assert [post["id"] for post in (await bea.do("/posts", "post:list", listing))["items"]] == [
        shown["id"],
        hidden["id"],
    ]
    assert [post["id"] for post in (await cleo.do("/posts", "post:list", listing))["items"]] == [shown["id"]]
    assert await cleo.call("/posts", "post:get", {"post_id": hidden["id"]}) == await cleo.call(
        "/posts", "post:get", {"post_id": UNKNOWN_ID}
    )


async def test_an_edit_shows_and_a_repeated_one_edits_nothing(server: RunningServer) -> None:
    ada, bea = await server.people("edit_ada", "edit_bea")
    post = await publish(ada)
    change = {"post_id": post["id"], "text": "Good evening"}
    unchanged = await ada.do("/posts", "post:update", {"post_id": post["id"], "text": post["text"]})
    assert unchanged["post"] == post
    edited = (await ada.do("/posts", "post:update", change))["post"]
    assert edited["edited_at_ms"] >= post["created_at_ms"]
    assert {**edited, "text": post["text"]} == {**post, "version": 2, "edited_at_ms": edited["edited_at_ms"]}
    assert (await ada.do("/posts", "post:update", change))["post"] == edited
    assert (await read(bea, post))["text"] == "Good evening"

    assert await refusal(bea, "post:update", change) == "forbidden"
    await ada.do("/posts", "post:update", {"post_id": post["id"], "visibility": "followers"})
    assert await refusal(bea, "post:update", change) == "not_found"
    assert await refusal(bea, "post:get", {"post_id": post["id"]}) == "not_found"


async def test_only_its_author_sees_a_private_post(server: RunningServer) -> None:
    ada, bea = await server.people("alone_ada", "alone_bea")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    hidden, shown = await publish(ada, "For me", visibility="private", client_id="one"), await publish(ada, "For all")
    assert hidden["visibility"] == "private"
    assert (await publish(ada, "For me", visibility="private", client_id="one"))["id"] == hidden["id"]
    _, rewritten = await ada.rest("PATCH", f"/posts/{hidden['id']}", {"text": "Still for me"})
    assert rewritten["data"]["post"]["visibility"] == "private"
    named = {"post_id": hidden["id"]}
    assert (await ada.do("/posts", "post:like", named))["like_count"] == 1
    for person, ids in ((ada, [shown["id"], hidden["id"]]), (bea, [shown["id"]])):
        _, answer = await person.rest("GET", f"/users/{ada.id}/posts")
        assert [post["id"] for post in answer["data"]["items"]] == ids
    for path in ("", "/likes", "/comments"):
        assert (await bea.rest("GET", f"/posts/{hidden['id']}{path}"))[0] == 404
    _, narrowed = await ada.rest("PATCH", f"/posts/{shown['id']}", {"visibility": "private"})
    assert narrowed["data"]["post"]["version"] == 2
    assert (await bea.rest("GET", f"/users/{ada.id}/posts"))[1]["data"]["items"] == []
    status, widened = await ada.rest("PUT", f"/posts/{hidden['id']}", {"visibility": "followers"})
    assert (status, (await read(bea, hidden))["text"]) == (200, "Still for me")
    assert widened["data"]["post"]["version"] == 3


async def test_only_what_others_may_see_causes_facts(database_url: str, redis_url: str) -> None:
    # Nobody works on facts here, so that each one that was stored can be counted.
    async with running_server(settings_for_tests(database_url, redis_url), work=False) as server:
        ada = await server.person("quiet_ada")
        facts = "SELECT array_agg(name ORDER BY id) FROM facts WHERE payload->>'post_id' = $1"

        async def caused(visibility: str, *changes: dict[str, str]) -> list[str] | None:
            named = {"post_id": (await publish(ada, visibility=visibility))["id"]}
            for change in changes:
                await ada.do("/posts", "post:update", {**named, **change})
            await ada.do("/posts", "post:delete", named)
            found: list[str] | None = await value(database_url, facts, named["post_id"])
            return found

        edit, hide, show = {"text": "Edited"}, {"visibility": "private"}, {"visibility": "public"}
        assert await caused("private", edit, hide) is None
        assert await caused("private", edit, show, show) == ["post.shown", "post.changed"]
        assert await caused("followers", edit, hide, edit) == ["post.created", "post.changed", "post.changed"]


async def test_a_deleted_post_is_hidden_from_every_reader(server: RunningServer) -> None:
    ada, bea = await server.people("gone_ada", "gone_bea")
    post, kept = await publish(ada), await publish(ada)
    named = {"post_id": post["id"]}
    assert await refusal(bea, "post:delete", named) == "forbidden"
    for _ in range(2):
        assert await ada.do("/posts", "post:delete", named) == {}
    for person in (ada, bea):
        for name in ("post:get", "post:like", "post:likers"):
            assert await refusal(person, name, named) == "not_found"
        listed = await person.do("/posts", "post:list", {"user_id": ada.id})
        assert [item["id"] for item in listed["items"]] == [kept["id"]]
    assert await refusal(ada, "post:update", {**named, "text": "Again"}) == "not_found"
    assert await refusal(bea, "post:delete", named) == "not_found"
    assert (await ada.do("/users", "user:me"))["user"]["post_count"] == 1


async def test_no_post_is_skipped_or_repeated_while_others_arrive(server: RunningServer) -> None:
    ada, bea = await server.people("page_ada", "page_bea")
    before = [(await publish(ada, f"Post {number}"))["id"] for number in range(7)]
    payload: dict[str, Any] = {"user_id": ada.id, "limit": 2}
    seen: list[str] = []
    while True:
        page = await bea.do("/posts", "post:list", payload)
        seen += [item["id"] for item in page["items"]]
        if "next_cursor" not in page:
            break
        payload = {**payload, "before": page["next_cursor"]}
        await publish(ada, "Meanwhile")
    assert seen == before[::-1]


async def test_a_list_of_an_unknown_or_hidden_user_is_not_found(server: RunningServer) -> None:
    ada, bea = await server.people("none_ada", "none_bea")
    assert (await bea.do("/posts", "post:list", {"user_id": ada.id}))["items"] == []
    await publish(ada)
    await ada.do("/users", "user:block", {"user_id": bea.id})
    assert await refusal(bea, "post:list", {"user_id": ada.id}) == "not_found"
    assert await refusal(bea, "post:list", {"user_id": UNKNOWN_ID}) == "not_found"
    await publish(bea)
    assert (await ada.do("/posts", "post:list", {"user_id": bea.id}))["items"] == []


async def test_a_person_likes_a_post_once(server: RunningServer) -> None:
    ada, bea = await server.people("like_ada", "like_bea")
    post = await publish(ada)
    named = {"post_id": post["id"]}
    for _ in range(2):
        assert await bea.do("/posts", "post:like", named) == {**named, "liked": True, "like_count": 1}
    assert (await read(bea, post))["viewer"]["liked"]
    assert (await read(ada, post))["viewer"]["liked"] is False
    assert await ada.do("/posts", "post:like", named) == {**named, "liked": True, "like_count": 2}
    for _ in range(2):
        assert await bea.do("/posts", "post:unlike", named) == {**named, "liked": False, "like_count": 1}
    assert (await read(bea, post))["viewer"]["liked"] is False


async def test_likes_are_exact_when_many_like_and_unlike_one_post_at_once(
    server: RunningServer, database_url: str
) -> None:
    ada, *crowd = await server.people("many_ada", *[f"many_{number}" for number in range(10)])
    post = await publish(ada)
    named = {"post_id": post["id"]}
    for person in crowd:
        await person.main_device()

    async def wobble(person: Person, turns: str) -> None:
        for turn in turns:
            name = "post:like" if turn == "l" else "post:unlike"
            await asyncio.gather(
                *[person.do("/posts", name, named) for _ in range(2)],
                person.rest("POST" if turn == "l" else "DELETE", f"/posts/{post['id']}/likes"),
            )

    turns = ["l", "lul", "lu", "ulul"]
    await asyncio.gather(*[wobble(person, turns[index % 4]) for index, person in enumerate(crowd)])

    likers = {person.username for index, person in enumerate(crowd) if turns[index % 4][-1] == "l"}
    assert (await read(ada, post))["like_count"] == len(likers)
    assert await value(database_url, "SELECT count(*) FROM post_likes WHERE post_id = $1", int(post["id"])) == len(
        likers
    )
    listed = await ada.do("/posts", "post:likers", {**named, "limit": 100})
    assert {item["username"] for item in listed["items"]} == likers


async def test_time_follows_the_order_of_posts_made_at_once(server: RunningServer) -> None:
    authors = await server.people(*[f"time_{number}" for number in range(4)])
    for author in authors:
        await author.main_device()
    made = await asyncio.gather(*[publish(author) for author in authors for _ in range(10)])
    times_ms = [post["created_at_ms"] for post in sorted(made, key=lambda post: int(post["id"]))]
    assert times_ms == sorted(times_ms)


async def test_likers_are_paged_newest_first_and_leave_out_the_blocked(server: RunningServer) -> None:
    ada, *fans = await server.people("likers_ada", *[f"likers_{number}" for number in range(5)])
    post = await publish(ada)
    for fan in fans:
        await fan.do("/posts", "post:like", {"post_id": post["id"]})
    names, payload = [], {"post_id": post["id"], "limit": 2}
    while True:
        page = await fans[0].do("/posts", "post:likers", payload)
        assert len(page["items"]) <= 2
        names += [item["username"] for item in page["items"]]
        if "next_cursor" not in page:
            break
        payload = {**payload, "before": page["next_cursor"]}
    assert names == [fan.username for fan in reversed(fans)]

    await fans[1].do("/users", "user:block", {"user_id": fans[0].id})
    left = await fans[0].do("/posts", "post:likers", {"post_id": post["id"]})
    assert [item["username"] for item in left["items"]] == [fans[number].username for number in (4, 3, 2, 0)]
