"""A client that hears no pushes at all: it keeps every Collection by `sync:pull` alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from realtime.contract.collections import Collection
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.kit.positions import WITHIN_S
from tests.kit.server import Person

Items = dict[str, dict[str, Any]]
COLLECTIONS: Mapping[str, Collection[Any]] = Registry(FEATURES).collections
OUTSIDE = frozenset({"viewer", "members"})
"""Fields that are told by pushes and reads only, but for what `_inside` takes of them."""


class SyncStore:
    """One person's copy of their Collections, by name and id."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._cursor: str | None = None
        self.items: dict[str, Items] = {name: {} for name in COLLECTIONS}
        self.resets = 0

    async def settle(self) -> None:
        """Pulls until nothing comes, so that the position lies above all that has changed.

        Until then a change may be told several times, while a transaction of anybody is open that began before it.
        """
        async with asyncio.timeout(WITHIN_S):
            while await self.pull():
                await asyncio.sleep(0.01)

    async def pull(self) -> bool:
        """Reads all that changed since the last pull; the first time, everything. Whether anything was told."""
        is_new = self._cursor is None
        more, was_told = True, False
        while more:
            payload = {"limit": 2} if self._cursor is None else {"cursor": self._cursor, "limit": 2}
            answer = await self.person.do("/users", "sync:pull", payload)
            self._cursor, more = answer["cursor"], answer["more"]
            was_told |= bool(answer["changes"])
            for name, changes in answer["changes"].items():
                await self._apply(name, changes)
        if is_new:
            for name in COLLECTIONS:
                await self._read_anew(name)
        return was_told

    async def _apply(self, name: str, changes: Mapping[str, Any]) -> None:
        held = self.items[name]
        held |= by_id(name, changes["upserts"])
        for item_id in changes["removed"]:
            held.pop(item_id, None)
        if changes.get("reset"):
            self.resets += 1
            await self._read_anew(name)
        for part in changes.get("reset_ids", ()):
            self.resets += 1
            await self._read_anew(name, part)

    async def _read_anew(self, name: str, part: str | None = None) -> None:
        """Of `messages` perhaps only those of one conversation."""
        fresh = await READERS[name](self.person)
        if part is None:
            self.items[name] = fresh
        else:
            prefix = f"{part}:"
            kept = {item_id: item for item_id, item in self.items[name].items() if not item_id.startswith(prefix)}
            self.items[name] = kept | {item_id: item for item_id, item in fresh.items() if item_id.startswith(prefix)}

    async def differences(self) -> list[str]:
        """What a fresh read shows otherwise, as far as the law says."""
        found = []
        for name in COLLECTIONS:
            fresh = await READERS[name](self.person)
            for item_id in sorted(self.items[name].keys() | fresh.keys()):
                held, shown = (_inside(items.get(item_id)) for items in (self.items[name], fresh))
                if held != shown:
                    found.append(f"{self.person.username} holds of {name} {item_id}: {held}, and reads {shown}")
        return found


def by_id(name: str, items: list[dict[str, Any]]) -> Items:
    """Each item by the id that its Collection declares; an item that is not of the declared model fails."""
    collection = COLLECTIONS[name]
    return {collection.id_of(collection.item.model_validate(item)): item for item in items}


def _inside(value: Any) -> Any:
    """Without what changes all the time, and with people by their ids: who shows names takes the newest card."""
    if isinstance(value, list):
        return [_inside(one) for one in value]
    if not isinstance(value, dict):
        return value
    if {"id", "username"} <= value.keys() and "bio" not in value:
        return value["id"]
    inside = {name: _inside(one) for name, one in value.items() if name not in OUTSIDE and not name.endswith("_count")}
    if "members" in value:
        inside["viewer"] = {name: value["viewer"].get(name) for name in ("read_seq", "muted", "unread_count")}
        inside["members"] = sorted((member["user"]["id"], member["role"]) for member in value["members"])
    return inside


async def _own_profile(person: Person) -> Items:
    read = await person.do("/users", "user:me")
    return by_id("me", [{name: one for name, one in read.items() if name in COLLECTIONS["me"].item.model_fields}])


async def _newest_posts(person: Person) -> Items:
    """By a first screen, since a list may lack what its consumer has not put there yet."""
    read = await person.do("/users", "sync:pull", {"collections": ["feed"], "limit": 100})
    assert len(read["changes"]["feed"]["upserts"]) < 100, "the store holds all posts"
    return by_id("feed", read["changes"]["feed"]["upserts"])


async def _relations(person: Person) -> Items:
    read = await person.do("/users", "sync:pull", {"collections": ["relations"]})
    assert not read["more"]
    return by_id("relations", read["changes"]["relations"]["upserts"])


async def _read_all(person: Person, name: str, payload: dict[str, Any]) -> list[dict[str, Any]]:
    """All items of a list."""
    items: list[dict[str, Any]] = []
    while True:
        read = await person.do("/chat", name, {**payload, "limit": 100})
        items += read["items"]
        if "next_cursor" not in read:
            return items
        cursor = read["next_cursor"]
        payload = {**payload, **({"before_seq": int(cursor)} if name == "message:list" else {"before": cursor})}


async def _conversations(person: Person) -> Items:
    return by_id("conversations", await _read_all(person, "conversation:list", {}))


async def _messages(person: Person) -> Items:
    found: Items = {}
    for conversation in (await _conversations(person)).values():
        messages = await _read_all(person, "message:list", {"conversation_id": conversation["id"]})
        found |= by_id("messages", [message for message in messages if "deleted" not in message])
    return found


async def _bookmarks(person: Person) -> Items:
    found: list[dict[str, Any]] = []
    payload: dict[str, Any] = {"limit": 100}
    while True:
        read = await person.do("/posts", "bookmark:list", payload)
        found += read["items"]
        if "next_cursor" not in read:
            return by_id("bookmarks", found)
        payload["before"] = read["next_cursor"]


READERS: Mapping[str, Callable[[Person], Awaitable[Items]]] = {
    "bookmarks": _bookmarks,
    "conversations": _conversations,
    "feed": _newest_posts,
    "me": _own_profile,
    "messages": _messages,
    "relations": _relations,
}
