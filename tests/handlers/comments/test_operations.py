import asyncio
from typing import Any

import asyncpg

from sql.ids import ms_of_id
from tests.kit.server import Person, RunningServer

UNKNOWN_ID = "1"


async def publish(author: Person, **more: object) -> str:
    answer = await author.do("/posts", "post:create", {"text": "Good morning", **more})
    post_id: str = answer["post"]["id"]
    return post_id


async def comment(author: Person, post_id: str, text: str = "Well said", **more: object) -> dict[str, Any]:
    answer = await author.do("/posts", "comment:create", {"post_id": post_id, "text": text, **more})
    made: dict[str, Any] = answer["comment"]
    return made


async def delete(person: Person, made: dict[str, Any]) -> None:
    assert await person.do("/posts", "comment:delete", {"comment_id": made["id"]}) == {}


async def refusal(person: Person, name: str, payload: dict[str, Any]) -> str:
    answer = await person.call("/posts", name, payload)
    assert not answer["ok"], answer
    code: str = answer["error"]["code"]
    return code


async def listed(reader: Person, post_id: str, **more: object) -> list[dict[str, Any]]:
    page = await reader.do("/posts", "comment:list", {"post_id": post_id, "limit": 100, **more})
    items: list[dict[str, Any]] = page["items"]
    return items


async def comment_count(reader: Person, post_id: str) -> int:
    answer = await reader.do("/posts", "post:get", {"post_id": post_id})
    count: int = answer["post"]["comment_count"]
    return count


async def test_comments_and_replies_are_listed_below_their_parents(server: RunningServer) -> None:
    ada, bea = await server.people("place_ada", "place_bea")
    post_id = await publish(ada)
    top = await comment(bea, post_id, "Line one\nline two")
    assert (top["text"], top["post_id"], top["like_count"], top["reply_count"]) == ("Line one\nline two", post_id, 0, 0)
    assert "parent_id" not in top and "deleted" not in top
    reply = await comment(ada, post_id, "Thanks", parent_id=top["id"])
    deeper = await comment(bea, post_id, "Welcome", parent_id=reply["id"])
    second = await comment(ada, post_id, "One more thing")

    assert [(item["id"], item["reply_count"]) for item in await listed(ada, post_id)] == [
        (second["id"], 0),
        (top["id"], 1),
    ]
    (found,) = await listed(bea, post_id, parent_id=top["id"])
    assert (found["id"], found["parent_id"], found["reply_count"]) == (reply["id"], top["id"], 1)
    assert [item["id"] for item in await listed(bea, post_id, parent_id=reply["id"])] == [deeper["id"]]
    assert await comment_count(ada, post_id) == 4


async def test_comments_are_paged_newest_first_without_a_seam(server: RunningServer) -> None:
    ada = await server.person("page_ada")
    post_id = await publish(ada)
    parent = await comment(ada, post_id)
    made = [(await comment(ada, post_id, f"Reply {number}", parent_id=parent["id"]))["id"] for number in range(5)]
    seen: list[str] = []
    query = {"parent_id": parent["id"], "limit": "2"}
    while True:
        status, answer = await ada.rest("GET", f"/posts/{post_id}/comments", query=query)
        assert status == 200
        seen += [item["id"] for item in answer["data"]["items"]]
        if "next_cursor" not in answer["data"]:
            break
        query["before"] = answer["data"]["next_cursor"]
        await comment(ada, post_id, "Meanwhile", parent_id=parent["id"])
    assert seen == made[::-1]


async def test_a_reply_needs_a_comment_of_the_same_post(server: RunningServer) -> None:
    ada = await server.person("same_ada")
    post_id, other_id = await publish(ada), await publish(ada)
    elsewhere = await comment(ada, other_id)
    deleted = await comment(ada, post_id)
    await delete(ada, deleted)
    for parent_id in (elsewhere["id"], deleted["id"], UNKNOWN_ID):
        named = {"post_id": post_id, "parent_id": parent_id}
        assert await refusal(ada, "comment:create", {**named, "text": "Where?"}) == "not_found"
        assert await refusal(ada, "comment:list", named) == "not_found"
    assert await comment_count(ada, post_id) == 0


async def test_a_deleted_comment_is_hidden_or_kept_for_its_replies(server: RunningServer) -> None:
    ada, bea = await server.people("tomb_ada", "tomb_bea")
    post_id = await publish(ada)
    top, leaf = await comment(bea, post_id, "Answered"), await comment(bea, post_id, "Alone")
    reply = await comment(ada, post_id, "Reply", parent_id=top["id"])
    for _ in range(2):
        await delete(bea, leaf)
        await delete(bea, top)

    (tombstone,) = await listed(ada, post_id)
    named = {field: value for field, value in top.items() if field != "author"}
    assert tombstone == {**named, "version": 2, "text": "", "deleted": True, "reply_count": 1}, "nobody is named"
    assert [item["id"] for item in await listed(ada, post_id, parent_id=top["id"])] == [reply["id"]]
    assert await comment_count(ada, post_id) == 1
    answering = {"post_id": post_id, "parent_id": top["id"], "text": "Too late"}
    assert await refusal(bea, "comment:create", answering) == "not_found"

    await delete(ada, reply)
    assert await listed(ada, post_id) == []
    assert await comment_count(ada, post_id) == 0


async def test_who_may_delete_a_comment(server: RunningServer) -> None:
    ada, bea, cleo = await server.people("del_ada", "del_bea", "del_cleo")
    post_id = await publish(ada)
    by_bea, by_cleo = await comment(bea, post_id), await comment(cleo, post_id)
    assert await refusal(cleo, "comment:delete", {"comment_id": by_bea["id"]}) == "forbidden"
    await delete(ada, by_bea)
    assert await refusal(cleo, "comment:delete", {"comment_id": by_bea["id"]}) == "not_found"

    # Blocked meanwhile, Cleo may still take back what she wrote.
    await ada.do("/users", "user:block", {"user_id": cleo.id})
    await delete(cleo, by_cleo)
    assert await comment_count(ada, post_id) == 0


async def test_a_retry_gets_the_comment_and_causes_nothing(server: RunningServer) -> None:
    ada, bea = await server.people("retry_ada", "retry_bea")
    post_id = await publish(ada)
    top = await comment(ada, post_id)
    payload = {"post_id": post_id, "parent_id": top["id"], "text": "Once", "client_id": "one"}
    tries = await asyncio.gather(*[bea.do("/posts", "comment:create", payload) for _ in range(8)])
    assert len({answer["comment"]["id"] for answer in tries}) == 1
    assert await comment_count(ada, post_id) == 2

    for other in ({"text": "Twice"}, {"post_id": await publish(ada)}):
        assert await refusal(bea, "comment:create", {**payload, **other}) == "conflict"
    without_parent = {name: payload[name] for name in ("post_id", "text", "client_id")}
    assert await refusal(bea, "comment:create", without_parent) == "conflict"

    await delete(ada, top)
    assert (await bea.do("/posts", "comment:create", payload))["comment"] == tries[0]["comment"]
    await delete(bea, tries[0]["comment"])
    assert await refusal(bea, "comment:create", payload) == "not_found"
    assert await comment_count(ada, post_id) == 0


async def test_a_block_hides_comments_in_both_directions(server: RunningServer) -> None:
    ada, bea, cleo = await server.people("meet_ada", "meet_bea", "meet_cleo")
    post_id = await publish(ada)
    by_bea, by_cleo = await comment(bea, post_id), await comment(cleo, post_id)
    await comment(bea, post_id, "To myself", parent_id=by_bea["id"])
    await bea.do("/users", "user:block", {"user_id": cleo.id})

    assert [item["id"] for item in await listed(bea, post_id)] == [by_bea["id"]]
    assert [item["id"] for item in await listed(cleo, post_id)] == [by_cleo["id"]]
    assert len(await listed(ada, post_id)) == 2
    for person, hidden in ((bea, by_cleo), (cleo, by_bea)):
        named = {"post_id": post_id, "parent_id": hidden["id"]}
        assert await refusal(person, "comment:create", {**named, "text": "You there"}) == "not_found"
        assert await refusal(person, "comment:list", named) == "not_found"
        assert await refusal(person, "comment:delete", {"comment_id": hidden["id"]}) == "not_found"


async def test_what_a_block_hides_does_not_appear_when_it_is_deleted(server: RunningServer) -> None:
    ada, bea, cleo = await server.people("stone_ada", "stone_bea", "stone_cleo")
    post_id = await publish(ada)
    top = await comment(bea, post_id, "Withdrawn")
    reply = await comment(ada, post_id, "Reply", parent_id=top["id"])
    await bea.do("/users", "user:block", {"user_id": cleo.id})
    await delete(bea, top)
    (seen,) = await listed(ada, post_id)
    assert [seen] == await listed(bea, post_id) and "author" not in seen
    assert [item["id"] for item in await listed(bea, post_id, parent_id=top["id"])] == [reply["id"]]
    assert await listed(cleo, post_id) == []
    assert await refusal(cleo, "comment:list", {"post_id": post_id, "parent_id": top["id"]}) == "not_found"


async def test_time_follows_the_order_of_comments_made_at_once(server: RunningServer) -> None:
    ada, *crowd = await server.people("time_ada", *[f"time_{number}" for number in range(4)])
    post_id = await publish(ada)
    top = await comment(ada, post_id)
    for person in crowd:
        await person.main_device()
    await asyncio.gather(
        *[comment(person, post_id, **more) for person in crowd for more in ({}, {"parent_id": top["id"]}) * 5]
    )
    found = [*await listed(ada, post_id), *await listed(ada, post_id, parent_id=top["id"])]
    in_order = sorted(found, key=lambda item: int(item["id"]))
    times_ms = [item["created_at_ms"] for item in in_order]
    assert len(times_ms) == 41
    assert times_ms == sorted(times_ms) == [ms_of_id(int(item["id"])) for item in in_order]


async def test_comment_counts_are_exact_when_many_write_and_delete_at_once(
    server: RunningServer, database_url: str
) -> None:
    ada, *crowd = await server.people("many_ada", *[f"many_{number}" for number in range(6)])
    post_id = await publish(ada)
    top = await comment(ada, post_id)
    for person in crowd:
        await person.main_device()

    async def write_and_delete(person: Person, number: int) -> None:
        mine = [
            await comment(person, post_id, f"Reply {turn}", parent_id=top["id"], client_id=f"{turn}")
            for turn in range(4)
        ]
        below = await comment(person, post_id, "Below", parent_id=mine[0]["id"])
        await asyncio.gather(*[delete(person, made) for made in (*mine[: number % 4], below) for _ in range(2)])

    await asyncio.gather(*[write_and_delete(person, number) for number, person in enumerate(crowd)])

    connection = await asyncpg.connect(database_url)
    try:
        live = await connection.fetchval(
            "SELECT count(*) FROM comments WHERE post_id = $1 AND deleted_at IS NULL", int(post_id)
        )
    finally:
        await connection.close()
    left = 1 + sum(4 - number % 4 for number in range(len(crowd)))
    assert await comment_count(ada, post_id) == live == left
    (seen,) = await listed(ada, post_id)
    replies = await listed(ada, post_id, parent_id=top["id"])
    assert seen["reply_count"] == len(replies) == left - 1
    assert {reply["reply_count"] for reply in replies} == {0}
