"""What a post tells of its text, on the wire and in the tables."""

from typing import Any

import pytest

from handlers.posts.entities import check_entities
from tests.handlers.posts.test_operations import publish, read, refusal, value
from tests.kit.server import RunningServer

_TAGS = "SELECT coalesce(array_agg(tag ORDER BY tag), '{}') FROM post_tags WHERE post_id = $1::bigint"


async def test_a_post_tells_the_tags_mentions_and_links_of_its_text(server: RunningServer) -> None:
    ada, bea = await server.people("entity_ada", "entity_bea")
    post = await publish(ada, "@Entity_Bea #Rooks and #ROOKS on example.org/rooks. @entity_ada. @nobody_here #Krähen")
    assert post["tags"] == ["Rooks", "Krähen"]
    assert post["mentions"] == [
        {"id": bea.id, "username": "entity_bea"},
        {"id": ada.id, "username": "entity_ada"},
    ]
    assert post["links"] == ["example.org/rooks"]
    assert await read(bea, post) == post


async def test_a_mention_is_of_the_longest_name_that_somebody_has(server: RunningServer) -> None:
    _, dotted, ada = await server.people("dot", "dot.bea", "dot_ada")
    post = await publish(ada, "@dot.bea.Hello, @dot.cleo and @dot.bea")
    assert [person["username"] for person in post["mentions"]] == ["dot.bea", "dot"]
    assert post["mentions"][0]["id"] == dotted.id


async def test_whoever_blocks_the_author_is_not_mentioned(server: RunningServer) -> None:
    ada, bea, cleo = await server.people("unseen_ada", "unseen_bea", "unseen_cleo")
    await bea.do("/users", "user:block", {"user_id": ada.id})
    post = await publish(ada, "@unseen_bea @unseen_cleo")
    assert post["mentions"] == [{"id": cleo.id, "username": "unseen_cleo"}]


async def test_an_edit_finds_them_anew_and_a_deletion_leaves_none(server: RunningServer, database_url: str) -> None:
    ada, _ = await server.people("anew_ada", "anew_bea")
    post = await publish(ada, "#one #Two @anew_bea example.org")
    assert await value(database_url, _TAGS, int(post["id"])) == ["one", "two"]

    async def change(**fields: object) -> dict[str, Any]:
        answer = await ada.do("/posts", "post:update", {"post_id": post["id"], **fields})
        changed: dict[str, Any] = answer["post"]
        return changed

    hidden = await change(visibility="followers")
    assert (hidden["tags"], hidden["links"]) == (["one", "Two"], ["example.org"])
    edited = await change(text="#TWO #three")
    assert (edited["tags"], edited["mentions"], edited["links"]) == (["TWO", "three"], [], [])
    assert await value(database_url, _TAGS, int(post["id"])) == ["three", "two"]
    await ada.do("/posts", "post:delete", {"post_id": post["id"]})
    assert await value(database_url, _TAGS, int(post["id"])) == []


async def test_a_text_has_at_most_30_of_each(server: RunningServer) -> None:
    ada = await server.person("many_ada")
    numbers = range(31)
    for sign in ("#t", "@many_ada"):
        text = " ".join(f"{sign}{number}" for number in numbers)
        assert await refusal(ada, "post:create", {"text": text}) == "invalid_payload"
        assert (await publish(ada, text.rsplit(" ", 1)[0]))["text"]
    post = await publish(ada, " ".join(f"#t{number % 30}" for number in range(60)))
    assert len(post["tags"]) == 30


@pytest.mark.parametrize("text", ["#same " * 100, "@same " * 100, "# @ " * 100])
def test_repeated_ones_and_bare_signs_do_not_count(text: str) -> None:
    assert check_entities(text) == text
