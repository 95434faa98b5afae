"""One object of each kind that a payload can name, so that each command of the registry can be called."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

from realtime.contract.declarations import Command
from tests.kit.server import PASSWORD, Person, RunningServer

CHANGING_TABLES = frozenset(
    {"login_sessions", "facts", "fact_checkpoints", "fact_leases", "fact_workers", "fact_consumers"}
)
"""Tables that change by themselves: workers read Facts, and login sessions store when they were used last."""


@dataclass(frozen=True, slots=True)
class World:
    """`me` is the caller; `values` holds an existing id for each payload field that takes one."""

    me: Person
    friend: Person
    values: Mapping[str, Any]

    def payload(self, command: Command[Any, Any]) -> dict[str, Any]:
        """The command's example with the ids of existing objects."""
        return {field: self.values.get(field, value) for field, value in command.example.items()}


async def make_world(server: RunningServer, prefix: str) -> World:
    """Two people with a conversation, a post with a comment, a second login of `me`; `prefix` makes names unique."""
    me, friend = await server.people(f"{prefix}.me", f"{prefix}.friend")
    _, login = await server.rest("POST", "/auth/login", {"login": me.username, "password": PASSWORD})
    _, sessions = await me.rest("GET", "/auth/sessions")
    other = next(item for item in sessions["data"]["items"] if not item["current"])
    await friend.rest("POST", f"/users/{me.id}/follow")
    poll = {"options": ["One", "Other"], "closes_in_s": 3_600}
    _, post = await me.rest("POST", "/posts", {"text": "The post", "poll": poll})
    post_id = post["data"]["post"]["id"]
    _, comment = await me.rest("POST", f"/posts/{post_id}/comments", {"text": "The comment"})
    _, conversation = await me.rest("POST", "/conversations", {"user_id": friend.id})
    conversation_id = conversation["data"]["conversation"]["id"]
    await friend.rest("POST", f"/conversations/{conversation_id}/messages", {"text": "Hello"})
    values = {
        "user_id": friend.id,
        "user_ids": [friend.id],
        "username": f"{prefix}.new",
        "email": f"{prefix}.new@example.org",
        "password": PASSWORD,
        "old": PASSWORD,
        "login": me.username,
        "session_id": other["id"],
        "refresh_token": login["data"]["refresh_token"],
        "token": me.access_token,
        "post_id": post_id,
        "comment_id": comment["data"]["comment"]["id"],
        "conversation_id": conversation_id,
        "positions": {conversation_id: 0},
        "after": (await me.do("/feed", "feed:subscribe"))["position"],
    }
    return World(me, friend, values)


async def fingerprint(database_url: str) -> dict[str, str]:
    """A digest of every table's rows, to check that nothing has changed."""
    connection = await asyncpg.connect(database_url)
    try:
        names = await connection.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name"
        )
        found = {}
        for (name,) in names:
            if name not in CHANGING_TABLES:
                rows = await connection.fetch(f'SELECT t::text AS line FROM "{name}" t ORDER BY line')
                found[name] = hashlib.sha256("\n".join(row["line"] for row in rows).encode()).hexdigest()
        return found
    finally:
        await connection.close()
