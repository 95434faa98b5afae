"""Words that hide, as clients use them: over sockets and REST of a real server."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from handlers.filters.contract import FILTERS_MAX
from tests.kit.device import Device
from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer

LATER_MS = 4_102_444_800_000


async def hide(person: Person, phrase: str, **more: object) -> list[dict[str, Any]]:
    answer = await person.do("/users", "filter:set", {"phrase": phrase, **more})
    filters: list[dict[str, Any]] = answer["filters"]
    return filters


async def post(author: Person, text: str) -> str:
    post_id: str = (await author.do("/posts", "post:create", {"text": text}))["post"]["id"]
    return post_id


async def comment(author: Person, post_id: str, text: str, **more: object) -> str:
    answer = await author.do("/posts", "comment:create", {"post_id": post_id, "text": text, **more})
    comment_id: str = answer["comment"]["id"]
    return comment_id


async def feed(reader: Person, **asked: object) -> list[str]:
    return [item["text"] for item in (await reader.do("/feed", "feed:page", asked))["items"]]


async def comments(reader: Person, post_id: str) -> list[str]:
    page = await reader.do("/posts", "comment:list", {"post_id": post_id})
    return [item["text"] for item in page["items"]]


async def pair(server: RunningServer, name: str) -> tuple[Person, Person]:
    """A reader who follows an author."""
    reader, author = await server.people(f"{name}.reader", f"{name}.author")
    await reader.do("/users", "user:follow", {"user_id": author.id})
    return reader, author


async def test_filters_are_set_listed_and_removed(server: RunningServer) -> None:
    person, other = await server.people("filter.owner", "filter.other")
    assert await hide(person, "Straße") == [{"phrase": "Straße"}]
    both = [{"phrase": "STRASSE", "until_ms": LATER_MS}, {"phrase": "spoiler"}]
    await hide(person, "spoiler")
    assert await hide(person, "STRASSE", until_ms=LATER_MS) == both, "the same words: the other spelling"
    assert await person.do("/users", "filter:list") == {"filters": both}
    assert await other.do("/users", "filter:list") == {"filters": []}
    for _ in range(2):
        answer = await person.do("/users", "filter:remove", {"phrase": "strasse"})
        assert answer == {"filters": [{"phrase": "spoiler"}]}


async def test_nobody_has_more_filters_than_allowed(server: RunningServer) -> None:
    person = await server.person("filter.many")
    database = await asyncpg.connect(server.settings.database_url)
    await database.execute(
        "INSERT INTO word_filters (user_id, words, phrase)"
        " SELECT $1, words_of('w' || n), 'w' || n FROM generate_series(1, $2::int) AS n",
        int(person.id),
        FILTERS_MAX,
    )
    await database.close()
    answer = await person.call("/users", "filter:set", {"phrase": "one more"})
    assert answer["error"]["code"] == "conflict"
    assert len(await hide(person, "w1")) == FILTERS_MAX


@pytest.mark.parametrize(
    ("phrase", "hidden", "shown"),
    [
        ("cat", ["A CAT!", "#cat", "(cat)"], ["catalogue", "concat", "c a t"]),
        ("season finale", ["The season  FINALE", "season\nfinale"], ["season of the finale", "season finales"]),
        ("ΟΔΟΣ", ["η οδος", "οδοσ"], ["οδοι"]),
        ("don’t", ["I don't"], ["dont"]),
        ("猫", ["黒猫です"], ["犬です"]),
        ("#rookery", ["hello #Rookery"], ["hello rookery"]),
        ("🍕", ["have some🍕now"], ["have some"]),
    ],
)
async def test_whole_words_hide_posts_without_regard_to_case(
    server: RunningServer, phrase: str, hidden: list[str], shown: list[str]
) -> None:
    reader, author = await pair(server, f"words{abs(hash(phrase)) % 10**8}")
    for text in [*hidden, *shown]:
        await post(author, text)
    assert len(await feed(reader)) == len(hidden) + len(shown)
    await hide(reader, phrase)
    assert await feed(reader) == shown[::-1]
    own = await reader.do("/posts", "post:list", {"user_id": author.id})
    assert len(own["items"]) == len(hidden) + len(shown), "an author's page is not the feed"
    await reader.do("/users", "filter:remove", {"phrase": phrase})
    assert len(await feed(reader)) == len(hidden) + len(shown)


async def test_a_page_is_full_though_posts_are_hidden(server: RunningServer) -> None:
    reader, author = await pair(server, "full")
    wanted = []
    for number in range(12):
        wanted.append(f"news {number}")
        await post(author, f"news {number}")
        await post(author, f"gossip {number}")
    await hide(reader, "gossip")
    seen: list[str] = []
    asked: dict[str, object] = {"limit": 5}
    while True:
        page = await reader.do("/feed", "feed:page", asked)
        seen += [item["text"] for item in page["items"]]
        if "next_cursor" not in page:
            break
        assert len(page["items"]) == 5
        asked["before"] = page["next_cursor"]
    assert seen == wanted[::-1]


async def heard_until(device: Device, name: str, **expected: object) -> None:
    while not expected.items() <= (await device.expect_push(name)).items():
        pass


async def test_a_filtered_post_is_not_pushed_and_an_edit_moves_it_in_and_out(server: RunningServer) -> None:
    reader, author = await pair(server, "live")
    device = await reader.main_device()
    await device.do("/feed", "feed:subscribe")
    await hide(reader, "spoiler")
    await heard_until(device, "resync", scope="feed")
    cursor = await settled_cursor(reader, "feed")
    filtered, plain = await post(author, "A spoiler"), await post(author, "Hello")
    assert (await device.expect_push("feed:new"))["post"]["id"] == plain
    assert filtered not in [push.data["post"]["id"] for push in device.heard if push.name == "feed:new"]
    pulled = await reader.do("/users", "sync:pull", {"cursor": cursor})
    assert [item["id"] for item in pulled["changes"]["feed"]["upserts"]] == [plain]

    await author.do("/posts", "post:update", {"post_id": filtered, "text": "No more"})
    assert (await device.expect_push("feed:new"))["post"]["text"] == "No more"
    await device.expect_push("post:updated")
    await author.do("/posts", "post:update", {"post_id": plain, "text": "Hello SPOILER"})
    assert await device.expect_push("feed:removed") == {"post_ids": [plain]}
    await device.expect_silence("post:updated", within_s=0.1)
    assert await feed(reader) == ["No more"]


async def test_comments_of_others_are_hidden_with_the_replies_below_them(server: RunningServer) -> None:
    reader, author = await pair(server, "below")
    post_id = await post(author, "Talk")
    first = await comment(author, post_id, "A spoiler")
    await comment(reader, post_id, "My own spoiler")
    device, other = await reader.main_device(), await author.main_device()
    for one in (device, other):
        await one.do("/posts", "post:watch", {"post_id": post_id})
    await hide(reader, "spoiler")
    await settled_cursor(reader, "feed")  # until then a push may be withheld, and a resync told in its place
    assert await comments(reader, post_id) == ["My own spoiler"]
    assert await comments(author, post_id) == ["My own spoiler", "A spoiler"]
    await comment(author, post_id, "Yes", parent_id=first)
    await comment(author, post_id, "Another SPOILER")
    await comment(author, post_id, "Fine")
    assert [(await other.expect_push("comment:created"))["comment"]["text"] for _ in range(3)] == [
        "Yes",
        "Another SPOILER",
        "Fine",
    ]
    assert (await device.expect_push("comment:created"))["comment"]["text"] == "Fine"
    assert await comments(reader, post_id) == ["Fine", "My own spoiler"]
    assert (await reader.call("/posts", "comment:list", {"post_id": post_id, "parent_id": first}))["ok"]
