"""Whom a user follows and blocks, as their devices hold it: by `sync:pull`, and by what they are told."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from handlers.people import relations
from tests.kit.device import Device
from tests.kit.positions import WITHIN_S, settled_cursor
from tests.kit.server import Person, RunningServer

FOLLOWING, BLOCKED, NEITHER = (True, False), (False, True), (False, False)
Relations = dict[str, tuple[bool, bool]]


class Store:
    """What one device holds; it pulls page by page."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._cursor: str | None = None
        self.relations: Relations = {}
        self.pages = 0
        self.was_reset = False

    async def settle(self) -> None:
        """Goes on from above all earlier changes."""
        self._cursor, self.pages = await settled_cursor(self._person, "relations"), 0

    async def pull(self) -> Relations:
        more, self.was_reset = True, False
        while more:
            payload = {"collections": ["relations"], **({"cursor": self._cursor} if self._cursor else {})}
            answer = await self._person.do("/users", "sync:pull", payload)
            self.apply(answer["changes"].get("relations", {"upserts": [], "removed": []}))
            self._cursor, more = answer["cursor"], answer["more"]
            self.pages += 1
        return self.relations

    def apply(self, changes: dict[str, Any]) -> None:
        self.was_reset = self.was_reset or bool(changes.get("reset"))
        for item in changes["upserts"]:
            self.relations[item["user_id"]] = (item["following"], item["blocked"])
        for user_id in changes["removed"]:
            self.relations.pop(user_id, None)


async def act(person: Person, name: str, other: Person) -> None:
    await person.do("/users", f"user:{name}", {"user_id": other.id})


async def told(device: Device, store: Store) -> Relations:
    """What the device has after one more `collection:changed`."""
    data = await device.expect_push("collection:changed")
    assert data["name"] == "relations"
    store.apply(data)
    return store.relations


async def test_a_store_is_brought_to_what_a_new_one_reads(server: RunningServer) -> None:
    ada, bea, cai, dot = await server.people("held.ada", "held.bea", "held.cai", "held.dot")
    for other in (bea, cai):
        await act(ada, "follow", other)
    store = Store(ada)
    assert await store.pull() == {bea.id: FOLLOWING, cai.id: FOLLOWING}
    for name, other, expected in (
        ("block", bea, {bea.id: BLOCKED, cai.id: FOLLOWING}),
        ("follow", dot, {bea.id: BLOCKED, cai.id: FOLLOWING, dot.id: FOLLOWING}),
        ("unfollow", cai, {bea.id: BLOCKED, dot.id: FOLLOWING}),
        ("unblock", bea, {dot.id: FOLLOWING}),
        ("unblock", bea, {dot.id: FOLLOWING}),
    ):
        await act(ada, name, other)
        assert await store.pull() == expected, name
        assert await Store(ada).pull() == expected, name
    await act(dot, "block", ada)
    assert await store.pull() == await Store(ada).pull() == {}
    assert not store.was_reset
    _, answer = await ada.rest("POST", "/sync", {"collections": ["relations"]})
    assert answer["data"]["changes"] == {"relations": {"upserts": [], "removed": []}}


async def test_ones_own_devices_are_told_and_the_other_one_of_what_ended(server: RunningServer) -> None:
    ada, bea = await server.people("heard.ada", "heard.bea")
    of_ada, of_bea = await ada.device(namespaces=["/users"]), await bea.device(namespaces=["/users"])
    store, other_store = Store(ada), Store(bea)
    for _ in range(2):
        await act(ada, "follow", bea)
    assert await told(of_ada, store) == {bea.id: FOLLOWING}
    await act(bea, "follow", ada)
    assert await told(of_bea, other_store) == {ada.id: FOLLOWING}
    for _ in range(2):
        await act(ada, "block", bea)
    assert await told(of_ada, store) == {bea.id: BLOCKED}
    assert await told(of_bea, other_store) == {}
    for _ in range(2):
        await act(ada, "unblock", bea)
    assert await told(of_ada, store) == {}
    await act(ada, "follow", bea)
    assert await told(of_ada, store) == {bea.id: FOLLOWING}
    for _ in range(2):
        await act(ada, "unfollow", bea)
    assert await told(of_ada, store) == {}
    await act(ada, "block", bea)
    assert await told(of_ada, store) == {bea.id: BLOCKED}
    for device in (of_ada, of_bea):
        await device.expect_silence("collection:changed", within_s=0.1)
    assert [push.data for push in of_bea.heard if push.name == "collection:changed" and push.data["removed"]] == [
        {"name": "relations", "upserts": [], "removed": [ada.id]}
    ], "a user who is blocked hears that they do not follow any more, and nothing of the block"


@pytest.mark.parametrize("items_max", [1, 3])
async def test_many_come_in_pages(server: RunningServer, items_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "ITEMS_MAX", items_max)
    ada, *others = await server.people(f"paged.ada{items_max}", *[f"paged{items_max}.{n}" for n in range(7)])
    for other in others[:3]:
        await act(ada, "follow", other)
    await act(ada, "block", others[3])
    store = Store(ada)
    held = await store.pull()
    assert held == {other.id: FOLLOWING for other in others[:3]} | {others[3].id: BLOCKED}
    assert store.pages == 4 // items_max + 1
    await store.settle()
    for other in others[4:]:
        await act(ada, "follow", other)
    await act(ada, "unfollow", others[0])
    assert await store.pull() == await Store(ada).pull()
    assert (store.pages, store.was_reset) == (4 // items_max + 1, False)


async def test_what_changes_between_two_pages_is_not_lost(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor keeps the position of the first page; what was read before it changed comes again."""
    monkeypatch.setattr(relations, "ITEMS_MAX", 1)
    ada, bea, cai = await server.people("between.ada", "between.bea", "between.cai")
    for other in (bea, cai):
        await act(ada, "follow", other)
    await settled_cursor(ada, "relations")
    first = await ada.do("/users", "sync:pull", {"collections": ["relations"]})
    (seen,) = first["changes"]["relations"]["upserts"]
    assert (seen["user_id"], first["more"]) == (bea.id, True)
    await act(ada, "unfollow", bea)
    cursor, removed = first["cursor"], []
    for _ in range(4):
        answer = await ada.do("/users", "sync:pull", {"cursor": cursor})
        removed += answer["changes"].get("relations", {"removed": []})["removed"]
        cursor = answer["cursor"]
    assert removed == [bea.id]


async def test_more_changes_than_relations_are_a_reset(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("reset.ada", "reset.bea")
    store = Store(ada)
    await store.pull()
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO relation_changes (user_id, other_id) SELECT $1, n FROM generate_series(1, 1001) AS n", int(ada.id)
    )
    await connection.close()
    await act(ada, "follow", bea)
    await store.pull()
    assert (store.was_reset, store.pages) == (True, 2)
    async with asyncio.timeout(WITHIN_S):
        while store.was_reset:
            await store.pull()
