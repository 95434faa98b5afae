"""What each caller of the benchmark does: the calls of a command, made from the people and posts of the network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

PAGE: Final = 20
"""Posts of a page of the feed."""
TEXT: Final = "Something that people write, as long as most of it is, and said under load"
NAMESPACES: Final = ("/users", "/posts", "/feed", "/chat")
_NAMESPACE_OF: Final = {
    "user": "/users",
    "post": "/posts",
    "comment": "/posts",
    "feed": "/feed",
    "message": "/chat",
    "sync": "/users",
}
_EACH: Final = 8
"""How many posts a caller likes, and how many people a caller follows, one after the other."""


@dataclass(frozen=True, slots=True)
class BenchCaller:
    """A person who calls, with a conversation of theirs. `cursor` is of `sync:pull`, once they have pulled."""

    user_id: int
    access_token: str
    conversation_id: int
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A command with its payload, as it stands on the wire."""

    name: str
    payload: Mapping[str, str | int]

    @property
    def namespace(self) -> str:
        return _NAMESPACE_OF[self.name.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class World:
    """The part of the network that the benchmark uses. Every caller has one socket."""

    callers: tuple[BenchCaller, ...]
    post_ids: tuple[int, ...]
    user_ids: tuple[int, ...]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> World:
        kept = json.loads(path.read_text())
        callers = tuple(BenchCaller(**caller) for caller in kept["callers"])
        return cls(callers, tuple(kept["post_ids"]), tuple(kept["user_ids"]))

    def calls(self, command: str, place: int) -> list[Call]:
        """What the caller at `place` does again and again for a command of COMMANDS. Each write changes something."""
        return _MAKERS[command](self, place)


def _some(ids: Sequence[int], place: int, count: int) -> list[int]:
    """Ids for one of `count` callers: others than those of the rest, where there are enough."""
    return [ids[(place + count * number) % len(ids)] for number in range(_EACH)]


def _on_posts(world: World, place: int, *names: str, **fields: str) -> list[Call]:
    post_ids = _some(world.post_ids, place, len(world.callers))
    return [Call(name, {"post_id": str(post_id), **fields}) for post_id in post_ids for name in names]


def _follows(world: World, place: int) -> list[Call]:
    user_ids = _some(world.user_ids, place, len(world.callers))
    others = [user_id for user_id in user_ids if user_id != world.callers[place].user_id]
    return [Call(name, {"user_id": str(user_id)}) for user_id in others for name in ("user:follow", "user:unfollow")]


def _message(world: World, place: int) -> list[Call]:
    return [Call("message:send", {"conversation_id": str(world.callers[place].conversation_id), "text": TEXT})]


_MAKERS: Final[Mapping[str, Callable[[World, int], list[Call]]]] = {
    "profile": lambda world, place: [Call("user:me", {})],
    "feed": lambda world, place: [Call("feed:page", {"limit": PAGE})],
    "sync": lambda world, place: [Call("sync:pull", {"cursor": world.callers[place].cursor})],
    "like": lambda world, place: _on_posts(world, place, "post:like", "post:unlike"),
    "comment": lambda world, place: _on_posts(world, place, "comment:create", text=TEXT),
    "post": lambda world, place: [Call("post:create", {"text": TEXT})],
    "message": _message,
    "follow": _follows,
}
COMMANDS: Final = tuple(_MAKERS)
