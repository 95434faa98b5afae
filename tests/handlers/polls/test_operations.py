"""Polls through sockets: what readers see before and after their vote, and what is refused."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from tests.kit.server import Person, RunningServer

OPTIONS = ["Rook", "Jay", "Crow"]


async def ask(person: Person, *, multiple: bool = False, **more: object) -> str:
    poll = {"options": OPTIONS, "multiple": multiple, "closes_in_s": 3_600}
    made = await person.do("/posts", "post:create", {"text": "Which bird?", "poll": poll, **more})
    post_id: str = made["post"]["id"]
    return post_id


async def seen(person: Person, post_id: str) -> dict[str, Any]:
    post: dict[str, Any] = (await person.do("/posts", "post:get", {"post_id": post_id}))["post"]
    return post


def counts(poll: dict[str, Any]) -> list[int | None]:
    return [option.get("vote_count") for option in poll["options"]]


async def vote(person: Person, post_id: str, *choices: int) -> dict[str, Any]:
    answer: dict[str, Any] = await person.do("/posts", "poll:vote", {"post_id": post_id, "choices": list(choices)})
    return answer


async def test_results_show_to_the_author_and_to_who_has_voted(server: RunningServer) -> None:
    ada, bea, cai = await server.people("polls.ada", "polls.bea", "polls.cai")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    post_id = await ask(ada)
    before = await seen(bea, post_id)
    assert (before["kind"], [option["text"] for option in before["poll"]["options"]]) == ("poll", OPTIONS)
    assert (counts(before["poll"]), before["poll"]["vote_count"], before["poll"]["closed"]) == ([None] * 3, 0, False)
    assert "voted" not in before["viewer"]
    answer = await vote(bea, post_id, 1)
    assert (answer["voted"], counts(answer["poll"]), answer["poll"]["vote_count"]) == ([1], [0, 1, 0], 1)
    for reads in (
        (await seen(bea, post_id)),
        (await bea.do("/feed", "feed:page"))["items"][0],
        (await bea.do("/posts", "post:list", {"user_id": ada.id}))["items"][0],
    ):
        assert (reads["poll"], reads["viewer"]["voted"]) == (answer["poll"], [1])
    assert counts((await seen(ada, post_id))["poll"]) == [0, 1, 0], "the author sees them"
    assert counts((await seen(cai, post_id))["poll"]) == [None] * 3
    await vote(bea, post_id, 2)
    await vote(cai, post_id, 2)
    assert counts((await seen(ada, post_id))["poll"]) == [0, 0, 2]
    await vote(bea, post_id)
    taken_back = await seen(bea, post_id)
    assert (counts(taken_back["poll"]), taken_back["poll"]["vote_count"]) == ([None] * 3, 1)
    assert "voted" not in taken_back["viewer"]


async def test_watchers_hear_how_many_voted_and_not_what(server: RunningServer) -> None:
    ada, bea = await server.people("told.polls.ada", "told.polls.bea")
    post_id = await ask(ada)
    device = await bea.device(namespaces=["/posts"])
    await device.do("/posts", "post:watch", {"post_id": post_id})
    await vote(ada, post_id, 0)
    assert await device.expect_push("poll:counters") == {"post_id": post_id, "vote_count": 1}


async def test_an_edit_keeps_the_poll_and_its_votes(server: RunningServer) -> None:
    ada, bea = await server.people("edit.polls.ada", "edit.polls.bea")
    post_id = await ask(ada, multiple=True)
    await vote(bea, post_id, 0, 2)
    device = await bea.device(namespaces=["/posts"])
    await device.do("/posts", "post:watch", {"post_id": post_id})
    edited = (await ada.do("/posts", "post:update", {"post_id": post_id, "text": "Which birds?"}))["post"]
    assert counts(edited["poll"]) == [1, 0, 1]
    pushed = (await device.expect_push("post:updated"))["post"]
    assert (pushed["text"], counts(pushed["poll"])) == ("Which birds?", [None] * 3), (
        "it is the same for all who hear it"
    )
    assert (await seen(bea, post_id))["viewer"]["voted"] == [0, 2]


async def test_a_poll_that_cannot_be_is_refused(server: RunningServer) -> None:
    ada = await server.person("refused.polls")
    refused: tuple[tuple[dict[str, object], str], ...] = (
        ({"options": ["One"]}, "poll.options"),
        ({"options": ["Same", "Same"]}, "poll.options"),
        ({"options": list("abcdefg")}, "poll.options"),
        ({"options": ["One", ""]}, "poll.options.1"),
        ({"closes_in_s": 59}, "poll.closes_in_s"),
        ({"closes_in_s": 30 * 86_400 + 1}, "poll.closes_in_s"),
    )
    for fields, fault in refused:
        poll = {"options": OPTIONS, "closes_in_s": 60, **fields}
        answer = await ada.call("/posts", "post:create", {"text": "Well?", "poll": poll})
        assert (answer["error"]["code"], list(answer["error"]["fields"])) == ("invalid_payload", [fault])


async def test_votes_that_cannot_be_are_refused(server: RunningServer) -> None:
    ada, bea, cai = await server.people("votes.ada", "votes.bea", "votes.cai")
    single, several = await ask(ada), await ask(ada, multiple=True)
    plain = (await ada.do("/posts", "post:create", {"text": "No question"}))["post"]["id"]
    hidden = await ask(ada, visibility="followers")
    for post_id, choices, code in (
        (single, [0, 1], "invalid_payload"),
        (several, [3], "invalid_payload"),
        (several, [1, 1], "invalid_payload"),
        (plain, [0], "not_found"),
        (hidden, [0], "not_found"),
    ):
        answer = await bea.call("/posts", "poll:vote", {"post_id": post_id, "choices": choices})
        assert answer["error"]["code"] == code, choices
    lacking = await cai.call("/posts", "post:create", {"poll": {"options": OPTIONS, "closes_in_s": 60}})
    assert lacking["error"]["code"] == "invalid_payload"


async def test_a_retry_with_another_poll_is_a_conflict(server: RunningServer) -> None:
    ada = await server.person("retry.polls")
    first = await ask(ada, client_id="poll")
    assert await ask(ada, client_id="poll") == first
    poll = {"options": ["Other", "Options"], "closes_in_s": 3_600}
    answer = await ada.call("/posts", "post:create", {"text": "Which bird?", "poll": poll, "client_id": "poll"})
    assert answer["error"]["code"] == "conflict"


async def test_votes_at_once_are_counted_exactly(server: RunningServer) -> None:
    chance = random.Random(3)
    people = await server.people(*(f"crowd.polls{number}" for number in range(5)))
    post_id = await ask(people[0], multiple=True)
    last: dict[str, list[int]] = {}
    for _ in range(6):
        wishes = [(person, sorted(chance.sample(range(3), chance.randrange(4)))) for person in people]
        await asyncio.gather(*(vote(person, post_id, *choices) for person, choices in wishes))
        last |= {person.id: choices for person, choices in wishes}
    poll = (await seen(people[0], post_id))["poll"]
    assert counts(poll) == [sum(option in choices for choices in last.values()) for option in range(3)]
    assert poll["vote_count"] == sum(bool(choices) for choices in last.values())
