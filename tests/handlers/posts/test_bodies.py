"""Posts from kept bodies are the same bytes as from rows, and never those of an earlier state."""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import asyncpg
import orjson
from hypothesis import given
from hypothesis import strategies as st

from handlers.bookmarks import contract as bookmarks
from handlers.feed import contract as feed
from handlers.posts import contract as posts
from handlers.posts.bodies import body_of
from handlers.posts.views import bare_post_view
from realtime.contract.declarations import Command
from realtime.contract.wire import encode_model
from sql.ids import PostId, UserId
from sql.people import CardRow, RelationRow
from sql.posts import PostRow
from tests.kit.server import Person, RunningServer

NOBODY = RelationRow(is_self=False, follows=False, followed_by=False, blocks=False, blocked_by=False)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
COUNTS = st.integers(0, 2**31 - 1)
TIMES = st.datetimes(datetime.datetime(2020, 1, 1), timezones=st.just(datetime.UTC))


@given(
    st.builds(
        PostRow,
        id=st.integers(1, 2**63 - 1).map(PostId),
        kind=st.just("text"),
        text=TEXTS,
        link=st.none() | TEXTS,
        entities=st.just({"tags": [{"tag": "Rook", "folded": "rook"}], "mentions": [{"id": 1, "username": "ada"}]}),
        visibility=st.just("public"),
        hidden_by=st.none(),
        visibility_if_shown=st.none(),
        replies=st.sampled_from(["everyone", "followers", "mentioned", "nobody"]),
        like_count=COUNTS,
        comment_count=COUNTS,
        share_count=COUNTS,
        created_at=TIMES,
        edited_at=st.none() | TIMES,
        author=st.builds(CardRow, id=st.integers(1, 2**63 - 1).map(UserId), username=TEXTS, display_name=TEXTS),
        viewer=st.just(NOBODY),
    )
)
def test_a_body_with_counts_is_the_post_of_every_reader(row: PostRow) -> None:
    post, rest = bare_post_view(row), {"like_count", "comment_count", "share_count"}
    body = body_of(row) + b"}"
    assert body == post.__pydantic_serializer__.to_json(post, exclude_none=True, exclude=rest)
    added = post.__pydantic_serializer__.to_json(post, exclude_none=True, include=rest)
    assert body[:-1] + b"," + added[1:] == encode_model(post)


async def test_answers_are_the_bytes_of_their_models(server: RunningServer) -> None:
    author, reader = await server.people("bytes_author", "bytes_reader")
    await reader.do("/users", "user:follow", {"user_id": author.id})
    for number in range(5):
        made = await author.do(
            "/posts", "post:create", {"text": f'\u00e9 "{number}"\n\U0001f426', "link": "https://a.example/"}
        )
    post_id = made["post"]["id"]
    await reader.do("/posts", "post:like", {"post_id": post_id})
    await reader.do("/posts", "bookmark:add", {"post_id": post_id})
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "edited"})
    device = await reader.device()
    position = (await device.do("/feed", "feed:subscribe"))["position"]
    await author.do("/posts", "post:create", {"text": "after the position"})
    pull = server.node.registry.find("/users", "sync:pull")
    assert pull is not None
    calls: list[tuple[Command[Any, Any], dict[str, object], str]] = [
        (posts.POST_GET, {"post_id": post_id}, f"/posts/{post_id}"),
        (posts.POST_LIST, {"user_id": author.id, "limit": 3}, f"/users/{author.id}/posts?limit=3"),
        (feed.FEED_PAGE, {"limit": 3}, "/feed?limit=3"),
        (feed.FEED_PAGE, {}, "/feed"),
        (bookmarks.BOOKMARK_LIST, {}, "/bookmarks"),
        (feed.FEED_SUBSCRIBE, {"limit": 3}, ""),
        (feed.FEED_SYNC, {"after": position}, ""),
        (posts.POST_WATCH, {"post_id": post_id}, ""),
        (pull.command, {}, ""),
        (pull.command, {"cursor": position}, ""),
    ]
    for _ in range(2):  # the bodies are encoded the first time and kept for the second
        for command, payload, path in calls:
            data = await device.do(command.namespace, command.name, payload)
            model = command.ack.model_validate(data)
            if not path:
                assert data == orjson.loads(encode_model(model))
                continue
            headers = {"Authorization": f"Bearer {reader.access_token}"}
            async with server.http.get(f"{server.url}/v1{path}", headers=headers) as response:
                assert await response.read() == b'{"ok":true,"data":' + encode_model(model) + b"}"


async def test_counters_and_viewer_are_of_this_read(server: RunningServer) -> None:
    author, reader, other = await server.people("counts_author", "counts_reader", "counts_other")
    for person in (reader, other):
        await person.do("/users", "user:follow", {"user_id": author.id})
    post_id = (await author.do("/posts", "post:create", {"text": "one"}))["post"]["id"]
    assert [await seen(person, post_id) for person in (reader, other)] == [(0, 0, False)] * 2
    await reader.do("/posts", "post:like", {"post_id": post_id})
    await other.do("/posts", "comment:create", {"post_id": post_id, "text": "Well said"})
    assert await seen(reader, post_id) == (1, 1, True)
    assert await seen(other, post_id) == (1, 1, False)
    hits, misses = await body_reads(server)
    await seen(reader, post_id)
    assert await body_reads(server) == (hits + 3, misses)


async def body_reads(server: RunningServer) -> tuple[float, ...]:
    """How often a body was kept, and how often not."""
    async with server.http.get(f"{server.url}/metrics") as response:
        told = dict(line.rsplit(" ", 1) for line in (await response.text()).splitlines())
    return tuple(float(told[f'rookery_body_reads_total{{result="{result}"}}']) for result in ("hit", "miss"))


async def seen(reader: Person, post_id: str) -> tuple[int, int, bool]:
    """What a page of the feed, a list and a single read say, which is the same."""
    page = await reader.do("/feed", "feed:page")
    one = (await reader.do("/posts", "post:get", {"post_id": post_id}))["post"]
    listed = await reader.do("/posts", "post:list", {"user_id": one["author"]["id"]})
    assert page["items"] == listed["items"] == [one]
    return one["like_count"], one["comment_count"], one["viewer"]["liked"]


async def test_a_version_that_is_counted_again_after_a_restore_is_another_state(
    server: RunningServer, database_url: str
) -> None:
    author, reader = await server.people("restored_author", "restored_reader")
    await reader.do("/users", "user:follow", {"user_id": author.id})
    post_id = (await author.do("/posts", "post:create", {"text": "one"}))["post"]["id"]
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "lost by the restore"})
    assert (await reader.do("/feed", "feed:page"))["items"][0]["text"] == "lost by the restore"
    connection = await asyncpg.connect(database_url)
    try:
        # as it was before the edit, which is made anew in another way
        await connection.execute(
            "UPDATE posts SET text = 'one', version = 1, changed = changed - 1 WHERE id = $1", int(post_id)
        )
        await connection.execute("DELETE FROM post_versions WHERE post_id = $1", int(post_id))
        again = await author.do("/posts", "post:update", {"post_id": post_id, "text": "made after it"})
    finally:
        await connection.close()
    assert again["post"]["version"] == 2
    page, one = await asyncio.gather(
        reader.do("/feed", "feed:page"), reader.do("/posts", "post:get", {"post_id": post_id})
    )
    assert page["items"] == [one["post"]]
    assert one["post"]["text"] == "made after it"
