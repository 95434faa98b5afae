"""The end of a poll is told to who watches it, to feeds, and to stores that pull."""

from __future__ import annotations

import asyncpg

from tests.handlers.polls.test_operations import ask, counts, seen, vote
from tests.kit.positions import settled_cursor
from tests.kit.server import RunningServer


async def test_the_end_of_a_poll_is_told_with_its_results(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("end.polls.ada", "end.polls.bea")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    post_id = await ask(ada)
    await vote(ada, post_id, 1)
    watching, reading = await bea.device(namespaces=["/posts"]), await bea.device(namespaces=["/feed"])
    await watching.do("/posts", "post:watch", {"post_id": post_id})
    await reading.do("/feed", "feed:subscribe")
    cursor = await settled_cursor(bea, "feed")
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE posts SET poll_closes_at = now() WHERE id = $1", int(post_id))
    await connection.close()
    assert (await seen(bea, post_id))["poll"]["closed"], "readers compare the time themselves"
    late = await bea.call("/posts", "poll:vote", {"post_id": post_id, "choices": [0]})
    assert late["error"]["code"] == "conflict"
    for device in (watching, reading):
        post = (await device.expect_push("post:updated"))["post"]
        assert (post["poll"]["closed"], counts(post["poll"])) == (True, [0, 1, 0])
    pulled = await bea.do("/users", "sync:pull", {"cursor": cursor})
    assert [post["id"] for post in pulled["changes"]["feed"]["upserts"]] == [post_id]
