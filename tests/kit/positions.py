"""Positions that earlier changes lie below, whatever transactions other tests have open in the same cluster."""

from __future__ import annotations

import asyncio

from tests.kit.server import Person

WITHIN_S = 20


async def settled_cursor(person: Person, *collections: str) -> str:
    """A cursor of these Collections since which nothing has changed; `feed:sync` takes one of `feed` too."""
    read = await person.do("/users", "sync:pull", {"collections": list(collections)})
    cursor: str = read["cursor"]
    return await until_nothing_is_new(person, cursor)


async def until_nothing_is_new(person: Person, cursor: str, *only: str) -> str:
    """Pulls until nothing comes any more, perhaps several times what is known; returns the last cursor.

    `only` these Collections; none: those of the cursor.
    """
    named = {"collections": list(only)} if only else {}
    async with asyncio.timeout(WITHIN_S):
        while True:
            read = await person.do("/users", "sync:pull", {"cursor": cursor, **named})
            cursor = read["cursor"]
            if not read["changes"] and not read["more"]:
                return cursor
            await asyncio.sleep(0.01)
