import asyncio
from typing import Any

import asyncpg

from handlers.limits import Limits
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

UNKNOWN_ID = "1"


async def user(viewer: Person, person: Person) -> dict[str, Any]:
    """A user as another user reads them."""
    answer = await viewer.do("/users", "user:get", {"user_id": person.id})
    found: dict[str, Any] = answer["user"]
    return found


async def refusal(person: Person, name: str, payload: dict[str, Any]) -> str:
    answer = await person.call("/users", name, payload)
    assert not answer["ok"], answer
    code: str = answer["error"]["code"]
    return code


async def usernames(viewer: Person, name: str, person: Person, **more: object) -> list[str]:
    page = await viewer.do("/users", name, {"user_id": person.id, **more})
    return [item["username"] for item in page["items"]]


async def count_follows(database_url: str, person: Person) -> tuple[int, int]:
    """Rows of the graph: followers and followed of a person."""
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM follows WHERE followed_id = $1),"
            " (SELECT count(*) FROM follows WHERE follower_id = $1)",
            int(person.id),
        )
    finally:
        await connection.close()
    assert row is not None
    return row[0], row[1]


async def test_a_client_reads_its_profile_and_limits_at_its_start(server: RunningServer) -> None:
    ada = await server.person("me_ada")
    me = await ada.do("/users", "user:me")
    assert me["user"]["id"] == ada.id
    assert me["user"]["username"] == "me_ada"
    assert "viewer" not in me["user"]
    assert (me["profile"], me["settings"]) == ({}, {})
    assert me["limits"] == Limits().model_dump()
    assert isinstance(me["server_time_ms"], int)
    assert me["version"]


async def test_people_are_found_by_id_and_by_name_in_any_case(server: RunningServer) -> None:
    ada, bea = await server.people("found_Ada", "found_bea")
    by_id = await bea.do("/users", "user:get", {"user_id": ada.id})
    assert by_id["user"]["username"] == "found_Ada"
    assert await bea.do("/users", "user:get", {"username": "FOUND_ada"}) == by_id
    assert await bea.rest("GET", "/users/by-name/found_ada") == (200, {"ok": True, "data": by_id})
    assert await refusal(bea, "user:get", {"username": "found_nobody"}) == "not_found"
    assert await refusal(bea, "user:get", {"user_id": UNKNOWN_ID}) == "not_found"


async def test_others_see_a_changed_profile_and_never_the_settings(server: RunningServer) -> None:
    ada, bea = await server.people("edit_ada", "edit_bea")
    change = {
        "display_name": "Ada L.",
        "bio": "Analyst of e\u0301ngines",
        "profile": {"interests": ["engines", "poetry"]},
        "settings": {"theme": "dark", "font_px": 14},
    }
    changed = await ada.do("/users", "user:update", change)
    assert changed == await ada.do("/users", "user:update", change)

    seen = await bea.do("/users", "user:get", {"user_id": ada.id})
    assert (seen["user"]["display_name"], seen["user"]["bio"]) == ("Ada L.", "Analyst of \u00e9ngines")
    assert seen["profile"] == {"interests": ["engines", "poetry"]}
    assert "settings" not in seen
    assert (await ada.do("/users", "user:me"))["settings"] == {"theme": "dark", "font_px": 14}

    await ada.do("/users", "user:update", {"bio": "", "profile": {}})
    seen = await bea.do("/users", "user:get", {"user_id": ada.id})
    assert (seen["user"]["display_name"], seen["user"]["bio"], seen["profile"]) == ("Ada L.", "", {})


async def test_following_counts_once_however_often_it_is_said(server: RunningServer) -> None:
    ada, bea = await server.people("once_ada", "once_bea")
    for _ in range(2):
        answer = await bea.do("/users", "user:follow", {"user_id": ada.id})
        assert answer == {"following": True, "requested": False}
    seen = await user(bea, ada)
    assert (seen["follower_count"], seen["following_count"]) == (1, 0)
    assert (seen["viewer"]["following"], seen["viewer"]["followed_by"]) == (True, False)
    seen = await user(ada, bea)
    assert (seen["follower_count"], seen["following_count"]) == (0, 1)
    assert (seen["viewer"]["following"], seen["viewer"]["followed_by"]) == (False, True)

    for _ in range(2):
        answer = await bea.do("/users", "user:unfollow", {"user_id": ada.id})
        assert answer == {"following": False, "requested": False}
    seen = await user(bea, ada)
    assert (seen["follower_count"], seen["viewer"]["following"]) == (0, False)


async def test_only_a_new_follow_raises_a_fact(database_url: str, redis_url: str) -> None:
    # Nobody works on facts here, so that each one that was stored can be counted.
    async with running_server(settings_for_tests(database_url, redis_url), work=False) as server:
        ada, bea = await server.people("told_ada", "told_bea")
        for name in ("follow", "follow", "unfollow", "unfollow", "follow"):
            await bea.do("/users", f"user:{name}", {"user_id": ada.id})
    connection = await asyncpg.connect(database_url)
    try:
        told = await connection.fetch(
            "SELECT payload->>'follower_id' AS follower_id, payload->>'followed_id' AS followed_id"
            " FROM facts WHERE name = 'follow.created' AND payload->>'followed_id' = $1",
            ada.id,
        )
    finally:
        await connection.close()
    assert [tuple(row) for row in told] == [(bea.id, ada.id)] * 2


async def test_some_people_cannot_be_followed(server: RunningServer) -> None:
    ada, bea = await server.people("some_ada", "some_bea")
    await ada.do("/users", "user:block", {"user_id": bea.id})
    assert await refusal(ada, "user:follow", {"user_id": ada.id}) == "conflict"
    assert await refusal(ada, "user:follow", {"user_id": bea.id}) == "conflict"
    assert await refusal(ada, "user:follow", {"user_id": UNKNOWN_ID}) == "not_found"
    assert await refusal(bea, "user:follow", {"user_id": ada.id}) == "not_found"


async def test_counts_stay_exact_when_many_follow_and_unfollow_each_other_at_once(
    server: RunningServer, database_url: str
) -> None:
    crowd = await server.people(*[f"crowd_{number}" for number in range(6)])
    for person in crowd:
        await person.main_device()

    async def wobble(person: Person, other: Person, turns: str) -> None:
        for turn in turns:
            name = "user:follow" if turn == "f" else "user:unfollow"
            await asyncio.gather(*[person.do("/users", name, {"user_id": other.id}) for _ in range(2)])

    pairs = [(person, other) for person in crowd for other in crowd if person is not other]
    turns = ["fuf", "fu", "f", "uffu", "ffuf"]
    await asyncio.gather(*[wobble(*pair, turns[index % len(turns)]) for index, pair in enumerate(pairs)])

    for person in crowd:
        me = (await person.do("/users", "user:me"))["user"]
        assert (me["follower_count"], me["following_count"]) == await count_follows(database_url, person)
    last_turns = [turns[index % len(turns)][-1] for index in range(len(pairs))]
    for (person, other), last in zip(pairs, last_turns, strict=True):
        assert (await user(person, other))["viewer"]["following"] == (last == "f")


async def test_a_block_ends_both_follows_and_hides_the_one_who_blocks(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("block_ada", "block_bea")
    await ada.do("/users", "user:follow", {"user_id": bea.id})
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    for _ in range(2):
        assert await ada.do("/users", "user:block", {"user_id": bea.id}) == {"blocked": True}

    assert await count_follows(database_url, ada) == await count_follows(database_url, bea) == (0, 0)
    seen = await user(ada, bea)
    assert seen["viewer"] == {
        "following": False, "followed_by": False, "blocked": True, "muted": False, "requested": False
    }  # fmt: skip
    assert (seen["follower_count"], seen["following_count"]) == (0, 0)
    hidden = await bea.call("/users", "user:get", {"user_id": ada.id})
    assert hidden == await bea.call("/users", "user:get", {"user_id": UNKNOWN_ID})
    assert await refusal(bea, "user:get", {"username": "block_ada"}) == "not_found"

    for _ in range(2):
        assert await ada.do("/users", "user:unblock", {"user_id": bea.id}) == {"blocked": False}
    seen = await user(bea, ada)
    assert (seen["follower_count"], seen["viewer"]["following"]) == (0, False)


async def test_blocking_oneself_or_an_unknown_user_is_refused(server: RunningServer) -> None:
    ada = await server.person("self_ada")
    assert await refusal(ada, "user:block", {"user_id": ada.id}) == "conflict"
    assert await refusal(ada, "user:block", {"user_id": UNKNOWN_ID}) == "not_found"


async def test_no_follow_outlives_a_block_that_races_with_it(server: RunningServer, database_url: str) -> None:
    ada, *others = await server.people("race_ada", *[f"race_{number}" for number in range(8)])
    for person in others:
        await person.main_device()
    await asyncio.gather(
        *[person.call("/users", "user:follow", {"user_id": ada.id}) for person in others],
        *[ada.do("/users", "user:block", {"user_id": person.id}) for person in others],
        *[ada.call("/users", "user:follow", {"user_id": person.id}) for person in others],
    )
    assert await count_follows(database_url, ada) == (0, 0)
    me = (await ada.do("/users", "user:me"))["user"]
    assert (me["follower_count"], me["following_count"]) == (0, 0)


async def test_two_who_block_each_other_at_once_both_have_a_block(server: RunningServer) -> None:
    ada, bea = await server.people("duel_ada", "duel_bea")
    await asyncio.gather(ada.main_device(), bea.main_device())
    await asyncio.gather(
        ada.do("/users", "user:block", {"user_id": bea.id}), bea.do("/users", "user:block", {"user_id": ada.id})
    )
    for person, other in ((ada, bea), (bea, ada)):
        assert await refusal(person, "user:get", {"user_id": other.id}) == "not_found"
    await ada.do("/users", "user:unblock", {"user_id": bea.id})
    assert (await user(bea, ada))["viewer"]["blocked"] is True
    assert await refusal(ada, "user:get", {"user_id": bea.id}) == "not_found"


async def test_lists_of_the_graph_are_paged_newest_first_and_leave_out_the_blocked(server: RunningServer) -> None:
    ada, *fans = await server.people("list_ada", *[f"list_{number}" for number in range(5)])
    for fan in fans:
        await fan.do("/users", "user:follow", {"user_id": ada.id})
        await ada.do("/users", "user:follow", {"user_id": fan.id})
    newest_first = [fan.username for fan in reversed(fans)]

    for name in ("user:followers", "user:following"):
        pages, payload = [], {"user_id": ada.id, "limit": 2}
        while True:
            page = await fans[0].do("/users", name, payload)
            pages.append([item["username"] for item in page["items"]])
            if "next_cursor" not in page:
                break
            payload = {**payload, "before": page["next_cursor"]}
        assert pages == [newest_first[:2], newest_first[2:4], newest_first[4:]]

    await fans[1].do("/users", "user:block", {"user_id": fans[0].id})
    await fans[0].do("/users", "user:block", {"user_id": fans[2].id})
    left = [fan.username for fan in (fans[4], fans[3], fans[0])]
    assert await usernames(fans[0], "user:followers", ada) == left
    assert await usernames(fans[0], "user:following", ada) == left
    assert await usernames(fans[3], "user:followers", ada) == newest_first
