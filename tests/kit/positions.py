"""Positions that earlier changes lie below, whatever transactions other tests have open in the same cluster."""

from __future__ import annotations

import asyncio

from tests.kit.server import Person

WITHIN_S = 20


async def settled_cursor(person: Person, *collections: str) -> str:
    """A cursor of these Collections since which nothing has changed; `feed:sync` takes one of `feed` too."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            read = await person.do("/users", "sync:pull", {"collections": list(collections)})
            while read["more"]:
                read = await person.do("/users", "sync:pull", {"cursor": read["cursor"]})
            again = await person.do("/users", "sync:pull", {"cursor": read["cursor"]})
            if not again["changes"]:
                cursor: str = again["cursor"]
                return cursor
            await asyncio.sleep(0.01)
