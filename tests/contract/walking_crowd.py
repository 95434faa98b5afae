"""People who do all that changes Collections, at random and at the same time, while their stores come and go."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from tests.contract.sync_store import SyncStore
from tests.handlers.chat.talk import delete_untold, edit_untold
from tests.kit.server import Person, RunningServer

ROUNDS = 12
WORDS = ("news", "edited")
"""That posts have and people hide."""
ALLOWED = frozenset({"not_found", "conflict", "forbidden"})


class Crowd(NamedTuple):
    people: list[Person]
    chance: random.Random
    database_url: str
    """Where no command exists for a change yet, it is made there."""


Act = Callable[[Crowd, Person, Person], Awaitable[None]]
"""Somebody does something, perhaps to somebody else. Refusals are fine, failures are not."""


async def tries(person: Person, namespace: str, name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The data of an answer; nothing where it was refused."""
    answer = await person.call(namespace, name, payload)
    assert answer["ok"] or answer["error"]["code"] in ALLOWED, (name, answer)
    data: dict[str, Any] = answer["data"] if answer["ok"] else {}
    return data


async def edits_the_profile(crowd: Crowd, one: Person, other: Person) -> None:
    change = crowd.chance.choice(["display_name", "bio"])
    await tries(one, "/users", "user:update", {change: f"Name {crowd.chance.randrange(99)}"})


async def edits_the_settings(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:update", {"settings": {"n": crowd.chance.randrange(99)}})


async def follows(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:follow", {"user_id": other.id})


async def unfollows(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:unfollow", {"user_id": other.id})


async def blocks_for_a_while(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(
        one, "/users", crowd.chance.choice(["user:block", "user:unblock", "user:unblock"]), {"user_id": other.id}
    )


async def mutes_for_a_while(crowd: Crowd, one: Person, other: Person) -> None:
    """Perhaps with an end, which is over already where the call has to wait for long."""
    soon_ms = int(time.time() * 1000) + crowd.chance.randrange(300, 900)
    payload = crowd.chance.choice([{"until_ms": soon_ms}, {"until_ms": soon_ms}, {}])
    answer = await one.call("/users", "user:mute", {"user_id": other.id, **payload})
    is_late = not answer["ok"] and answer["error"].get("fields") == {"until_ms": "must be in the future"}
    assert answer["ok"] or is_late or answer["error"]["code"] in ALLOWED, answer


async def unmutes(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:unmute", {"user_id": other.id})


async def posts(crowd: Crowd, one: Person, other: Person) -> None:
    visibility = crowd.chance.choice(["public", "followers", "private"])
    await tries(one, "/posts", "post:create", {"text": f"News {crowd.chance.random()}", "visibility": visibility})


async def changes_a_post(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/posts", "post:list", {"user_id": one.id})
    if listed["items"]:
        named = {"post_id": crowd.chance.choice(listed["items"])["id"]}
        edited = f"Edited #tag{crowd.chance.randrange(3)} @{other.username} {crowd.chance.random()}"
        change: dict[str, object] = crowd.chance.choice(
            [
                {"text": edited},
                {"visibility": "private"},
                {"visibility": "public"},
                {"sensitive": crowd.chance.random() < 0.5, "replies": crowd.chance.choice(["mentioned", "nobody"])},
            ]
        )
        await tries(one, "/posts", "post:update", {**named, **change})
        if crowd.chance.random() < 0.3:
            await tries(one, "/posts", "post:hide", {**named, "hidden": crowd.chance.random() < 0.5})


async def deletes_a_post(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/posts", "post:list", {"user_id": one.id})
    if listed["items"]:
        await tries(one, "/posts", "post:delete", {"post_id": crowd.chance.choice(listed["items"])["id"]})


async def likes_and_comments(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/feed", "feed:page", {})
    if listed["items"]:
        named = {"post_id": crowd.chance.choice(listed["items"])["id"]}
        await tries(one, "/posts", "post:like", named)
        made = await tries(one, "/posts", "comment:create", {**named, "text": "Well said"})
        if "comment" in made:
            comment = {"comment_id": made["comment"]["id"]}
            await tries(other, "/posts", crowd.chance.choice(["comment:like", "comment:unlike"]), comment)
            await tries(one, "/posts", "comment:update", {**comment, "text": "Very well said"})


async def hides_words_for_a_while(crowd: Crowd, one: Person, other: Person) -> None:
    name = crowd.chance.choice(["filter:set", "filter:remove", "filter:remove"])
    await tries(one, "/users", name, {"phrase": crowd.chance.choice(WORDS)})


async def shares_for_a_while(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/posts", "post:list", {"user_id": crowd.chance.choice([one, other]).id})
    if listed and listed["items"]:
        named = {"post_id": crowd.chance.choice(listed["items"])["id"]}
        name, more = crowd.chance.choice([("post:share", {}), ("post:share", {"text": "Look"}), ("post:unshare", {})])
        await tries(one, "/posts", name, {**named, **more})


async def bookmarks_for_a_while(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/posts", "post:list", {"user_id": crowd.chance.choice([one, other]).id})
    if listed and listed["items"]:
        named = {"post_id": crowd.chance.choice(listed["items"])["id"]}
        await tries(one, "/posts", crowd.chance.choice(["bookmark:add", "bookmark:add", "bookmark:remove"]), named)


async def writes(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/chat", "message:write", {"user_id": other.id, "text": f"Hello {crowd.chance.random()}"})


async def reads(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/chat", "conversation:list", {})
    if listed["items"]:
        conversation = crowd.chance.choice(listed["items"])
        seq = crowd.chance.randrange(conversation["last_seq"] + 1)
        name = crowd.chance.choice(["message:read", "message:delivered"])
        await tries(one, "/chat", name, {"conversation_id": conversation["id"], "seq": seq})


async def changes_a_message(crowd: Crowd, one: Person, other: Person) -> None:
    """Nobody is told but by pulls."""
    listed = await tries(one, "/chat", "conversation:list", {})
    said = [conversation for conversation in listed["items"] if conversation["last_seq"]]
    if said:
        conversation = crowd.chance.choice(said)
        seq = crowd.chance.randrange(1, conversation["last_seq"] + 1)
        if crowd.chance.random() < 0.3:
            await delete_untold(crowd.database_url, conversation["id"], seq)
        else:
            await edit_untold(crowd.database_url, conversation["id"], seq, f"Edited {crowd.chance.random()}")


ACTS: tuple[Act, ...] = (
    edits_the_profile,
    edits_the_settings,
    follows,
    unfollows,
    blocks_for_a_while,
    mutes_for_a_while,
    unmutes,
    posts,
    posts,
    changes_a_post,
    deletes_a_post,
    likes_and_comments,
    hides_words_for_a_while,
    bookmarks_for_a_while,
    bookmarks_for_a_while,
    shares_for_a_while,
    shares_for_a_while,
    writes,
    writes,
    changes_a_message,
    reads,
)


async def gather_crowd(
    nodes: Sequence[RunningServer], prefix: str, seed: int, *, database_url: str | None = None
) -> Crowd:
    """Four people who follow each other. The database is that of the nodes where they run in this process."""
    people = [await nodes[place % len(nodes)].person(f"{prefix}{seed}.{place}") for place in range(4)]
    for one in people:
        for other in people:
            if one is not other:
                await one.do("/users", "user:follow", {"user_id": other.id})
    return Crowd(people, random.Random(seed), database_url or nodes[0].settings.database_url)


async def act(crowd: Crowd) -> None:
    """Everybody does something at the same time."""
    pairs = [(one, crowd.chance.choice([other for other in crowd.people if other is not one])) for one in crowd.people]
    await asyncio.gather(*(crowd.chance.choice(ACTS)(crowd, one, other) for one, other in pairs))


async def walk(crowd: Crowd, rounds: int = ROUNDS) -> list[str]:
    """Stores that are away for some rounds and pull meanwhile, while others act; what they hold that is not so."""
    stores = [SyncStore(person) for person in crowd.people]
    await asyncio.gather(*(store.pull() for store in stores))
    for _ in range(rounds):
        back = [store.pull() for store in stores if crowd.chance.random() < 0.3]
        await asyncio.gather(act(crowd), act(crowd), *back)
    message, post_id = await _make_friends(crowd)
    await asyncio.gather(*(store.settle() for store in stores))
    await _end(crowd, message, post_id)
    await asyncio.gather(*(store.pull() for store in stores))
    return [line for store in stores for line in await store.differences()]


async def _make_friends(crowd: Crowd) -> tuple[dict[str, Any], str]:
    """Nobody blocks or mutes, and everybody follows everybody. Answers a message from the last person to the first, and
    a post.

    Another one follows it: an edit of the very last message would be found also by who does not know its rev.
    """
    pairs = [(one, other) for one in crowd.people for other in crowd.people if one is not other]
    for name in ("user:unblock", "user:unmute", "user:follow"):
        for one, other in pairs:
            await tries(one, "/users", name, {"user_id": other.id})
    for one in crowd.people:
        for phrase in WORDS:
            await tries(one, "/users", "filter:remove", {"phrase": phrase})
    to_the_first = {"user_id": crowd.people[0].id, "text": "At last"}
    message: dict[str, Any] = (await crowd.people[-1].do("/chat", "message:write", to_the_first))["message"]
    await crowd.people[-1].do("/chat", "message:write", to_the_first)
    post = (await crowd.people[0].do("/posts", "post:create", {"text": "To be bookmarked"}))["post"]
    return message, post["id"]


async def _end(crowd: Crowd, message: dict[str, Any], post_id: str) -> None:
    """Each Collection changes once more, and nothing resets the stores of those who have to be told.

    The random rounds may end with resets, which hide a fault; this part shows it always.
    """
    for one, other in zip(crowd.people, [*crowd.people[1:], crowd.people[0]], strict=True):
        await writes(crowd, one, other)
        await one.do("/posts", "post:create", {"text": "The last news"})
        await one.do("/posts", "bookmark:add", {"post_id": post_id})
        await one.do("/users", "user:update", {"bio": f"At the end of {one.username}"})
    await edit_untold(crowd.database_url, message["conversation_id"], message["seq"], "Edited at the end")
    await crowd.people[-1].do("/users", "user:unfollow", {"user_id": crowd.people[0].id})
