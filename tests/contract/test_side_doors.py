"""Nobody sees anything of a person through a side door, by whatever they lost sight of them.

Wren has done all that others can come across, with one word in everything that she wrote. A reader who has seen it
loses sight of her; then no answer of any command that reads has this word, whatever objects it is asked for, nor any
push, nor what is pulled since.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest

from realtime.contract.declarations import AUTH_NAMESPACE, Command, Repeat
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.kit.device import Device
from tests.kit.server import PASSWORD, Person, RunningServer

WORD = "plumage"
READS = [
    bound.command
    for bound in Registry(FEATURES).commands()
    if bound.command.repeat is Repeat.READ and bound.command.namespace != AUTH_NAMESPACE
]
ALSO_OPTIONAL = ("parent_id", "view", "order")
"""Fields that change what is read, beside those that have to be given."""
VALUES = {"view": ["latest", "ranked"], "order": ["newest", "oldest", "top"]}


SEEN_BY_WHO_BLOCKS = {"user:get"}
"""To be able to unblock."""


class Scene(NamedTuple):
    """`ids` holds, for each field that names objects, those that Wren has to do with."""

    wren: Person
    reader: Person
    friend: Person
    ids: dict[str, list[Any]]
    device: Device
    """The reader's, subscribed to the feed and watching Wren's posts."""
    cursor: str
    """Of all that the reader saw before."""


async def made(person: Person, name: str, payload: dict[str, Any]) -> str:
    """The id of what a command of `/posts` made."""
    (body,) = (await person.do("/posts", name, payload)).values()
    thing_id: str = body["id"]
    return thing_id


async def comment(person: Person, text: str, post_id: str, parent_id: str | None = None) -> str:
    above = {} if parent_id is None else {"parent_id": parent_id}
    return await made(person, "comment:create", {"post_id": post_id, "text": text, **above})


async def set_scene(server: RunningServer, name: str) -> Scene:
    """Wren, the reader and a friend follow each other; she has posted, shared, asked, commented and liked."""
    wren, reader, friend = await server.people(*(f"{name}.{who}" for who in ("wren", "reader", "friend")))
    await wren.do("/users", "user:update", {"display_name": f"W {WORD}", "bio": f"Of {WORD}"})
    for one, other in itertools.permutations((wren, reader, friend), 2):
        await one.do("/users", "user:follow", {"user_id": other.id})
    theirs = await made(friend, "post:create", {"text": "Of the friend"})
    posts = [
        await made(wren, "post:create", {"text": f"Open {WORD} #tag @{reader.username}"}),
        await made(wren, "post:create", {"text": f"For followers {WORD}", "visibility": "followers"}),
        await made(wren, "post:create", {"text": f"A question of {WORD}", "poll": POLL}),
        await made(wren, "post:share", {"post_id": theirs, "text": f"A quote with {WORD}"}),
    ]
    posts += [
        await made(friend, "post:share", {"post_id": posts[0]}),
        await made(friend, "post:share", {"post_id": posts[0], "text": "Quoted by the friend"}),
        theirs,
    ]
    await wren.do("/posts", "post:update", {"post_id": posts[0], "text": f"Open {WORD}, edited #tag"})
    comments: list[str] = []
    for post_id in (posts[0], theirs):
        comments.append(await comment(wren, f"A remark of {WORD}", post_id))
    comments.append(await comment(friend, "A reply", theirs, comments[1]))
    comments.append(await comment(wren, f"Another reply of {WORD}", theirs, comments[2]))
    for post_id in posts:
        await wren.do("/posts", "post:like", {"post_id": post_id})
        await reader.do("/posts", "bookmark:add", {"post_id": post_id})
    device = await reader.device()
    await device.do("/feed", "feed:subscribe")
    for post_id in posts:
        await device.do("/posts", "post:watch", {"post_id": post_id})
    await wren.do("/users", "user:update", {"display_name": f"Wren {WORD}"})
    pulled = await reader.do("/users", "sync:pull")
    assert WORD in str(pulled)
    ids: dict[str, list[Any]] = {
        "user_id": [wren.id, friend.id, reader.id],
        "user_ids": [[wren.id]],
        "username": [wren.username],
        "post_id": posts,
        "comment_id": comments,
        "parent_id": comments,
        "positions": [{}],
        "after": [(await reader.do("/feed", "feed:subscribe"))["position"]],
    }
    return Scene(wren, reader, friend, ids, device, pulled["cursor"])


Loss = Callable[[Scene], Awaitable[None]]


POLL = {"options": [f"Much {WORD}", "None"], "closes_in_s": 3_600}


async def blocked(scene: Scene) -> None:
    await scene.wren.do("/users", "user:block", {"user_id": scene.reader.id})


async def blocking(scene: Scene) -> None:
    await scene.reader.do("/users", "user:block", {"user_id": scene.wren.id})


async def deleted(scene: Scene) -> None:
    await scene.wren.do("/users", "user:delete", {"password": PASSWORD})


LOSSES: dict[str, Loss] = {"blocked": blocked, "blocking": blocking, "deleted": deleted}


def payloads(command: Command[Any, Any], ids: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Each way to ask a command for objects of the scene: with what has to be given, and with each other choice."""
    fields = command.payload.model_fields
    known = {**ids, **VALUES}
    named = [name for name in fields if name in known and name not in ALSO_OPTIONAL]
    chosen = [name for name in named if fields[name].is_required()] or named
    for values in itertools.product(*(known[name] for name in chosen)):
        given = dict(zip(chosen, values, strict=True))
        if "username" in given and "user_id" in given:
            yield {"username": given["username"]}
            del given["username"]
        yield given
        for name in ALSO_OPTIONAL:
            for value in known[name] if name in fields else ():
                yield {**given, name: value}


async def answers(scene: Scene) -> AsyncIterator[tuple[str, dict[str, Any], Any]]:
    for command in READS:
        for payload in payloads(command, scene.ids):
            yield command.name, payload, await scene.reader.call(command.namespace, command.name, payload)


@pytest.mark.parametrize("name", LOSSES)
async def test_nobody_hears_or_reads_of_somebody_out_of_sight(server: RunningServer, name: str) -> None:
    scene = await set_scene(server, f"doors.{name}")
    before = {command async for command, _, answer in answers(scene) if WORD in str(answer)}
    assert {"user:get", "post:get", "post:list", "feed:page", "comment:list", "sync:pull"} <= before
    await LOSSES[name](scene)
    scene.device.heard.clear()
    if name != "deleted":  # who is deleted does nothing more
        await scene.wren.call(
            "/posts", "post:update", {"post_id": scene.ids["post_id"][0], "text": f"And again {WORD}"}
        )
        await scene.wren.call(
            "/posts", "comment:create", {"post_id": scene.ids["post_id"][-1], "text": f"Still {WORD}"}
        )
    allowed = SEEN_BY_WHO_BLOCKS if name == "blocking" else set()
    seen = [
        (command, payload)
        async for command, payload, answer in answers(scene)
        if command not in allowed and WORD in str(answer)
    ]
    assert seen == []
    assert WORD not in str(await scene.reader.do("/users", "sync:pull", {"cursor": scene.cursor}))
    assert [push for push in scene.device.heard if WORD in str(push)] == []
