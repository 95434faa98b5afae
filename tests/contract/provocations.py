"""How to cause each error that a command declares: one row for each, which `test_declared_errors.py` runs."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import asyncpg

from handlers.accounts import acts
from handlers.filters.contract import FILTERS_MAX
from realtime.contract.declarations import Command
from server.accounts.secrets_file import signing_keys
from server.accounts.tokens import Tokens
from tests.contract.world import World
from tests.kit.clock import ManualClock
from tests.kit.server import Person, RunningServer, settings_for_tests
from tests.kit.services import execute

UNKNOWN_ID = "1"


class Attempt(NamedTuple):
    """A call that must be refused. `live` is false where only a caller without a connection is refused."""

    caller: Person
    payload: Mapping[str, Any]
    live: bool = True


Provocation = Callable[[RunningServer, World, Command[Any, Any]], Awaitable[Attempt]]


async def unknown_thing(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    payload = world.payload(command)
    ids = {field: UNKNOWN_ID for field in payload if field.endswith("_id") and field != "client_id"}
    return Attempt(world.me, {**payload, **ids})


async def another_use_of_the_client_id(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    payload = world.payload(command)
    await world.me.do(command.namespace, command.name, payload)
    return Attempt(world.me, {**payload, "text": "Something else"})


async def client_id_of_what_was_deleted(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    payload = world.payload(command)
    made = await world.me.do(command.namespace, command.name, payload)
    await world.me.do(command.namespace, "post:delete", {"post_id": made["post"]["id"]})
    return Attempt(world.me, payload)


async def too_many_filters(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    database = await asyncpg.connect(server.settings.database_url)
    await database.execute(
        "INSERT INTO word_filters (user_id, words, phrase)"
        " SELECT $1, words_of('w' || n), 'w' || n FROM generate_series(1, $2::int) AS n",
        int(world.me.id),
        FILTERS_MAX,
    )
    await database.close()
    return Attempt(world.me, world.payload(command))


async def not_public(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    made = await world.me.do("/posts", "post:create", {"text": "For followers", "visibility": "followers"})
    return Attempt(world.me, {**world.payload(command), "post_id": made["post"]["id"]})


async def oneself(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, {"user_id": world.me.id})


async def somebody_elses(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.friend, world.payload(command))


async def where_nobody_may_comment(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    payload = world.payload(command)
    await world.me.do("/posts", "post:update", {"post_id": payload["post_id"], "replies": "nobody"})
    return Attempt(world.friend, payload)


async def poll_that_is_closed(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    poll = {"options": ["One", "Other"], "closes_in_s": 3_600}
    made = await world.me.do("/posts", "post:create", {"text": "Well?", "poll": poll})
    post_id = made["post"]["id"]
    await execute(server.settings.database_url, f"UPDATE posts SET poll_closes_at = now() WHERE id = {post_id}")
    return Attempt(world.me, {**world.payload(command), "post_id": post_id})


async def after_a_block(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    await world.friend.do("/users", "user:block", {"user_id": world.me.id})
    return Attempt(world.me, world.payload(command))


async def a_name_that_is_taken(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, {**world.payload(command), "username": world.friend.username})


async def a_wrong_password(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, {**world.payload(command), "password": "not the right one"})


async def a_wrong_old_password(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, {**world.payload(command), "old": "not the right one"})


async def a_suspended_account(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    friend = world.friend
    await server.node.operator.run(lambda ctx: acts.ban(ctx, acts.OPERATOR, friend.username))
    of_friend = {"login": friend.username, "password": friend.password, "refresh_token": friend.refresh_token}
    return Attempt(world.me, {field: of_friend[field] for field in command.example})


async def a_refresh_token_of_nobody(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, dict(command.example))


async def a_token_of_somebody_else(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, {"token": world.friend.access_token})


async def a_token_of_nobody(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, dict(command.example))


async def a_token_that_ran_out(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    settings = settings_for_tests("postgresql:///unused", "redis:///unused")
    an_hour_ago = ManualClock(datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1))
    tokens = Tokens(signing_keys(settings.token_secrets, settings.data_dir), an_hour_ago, access_token_ttl_s=60)
    return Attempt(world.me, {"token": tokens.access_token(int(world.me.id), 1).token})


async def no_connection(server: RunningServer, world: World, command: Command[Any, Any]) -> Attempt:
    return Attempt(world.me, dict(command.example), live=False)


PROVOCATIONS: Mapping[tuple[str, str], Provocation] = {
    ("auth:register", "conflict"): a_name_that_is_taken,
    ("auth:login", "unauthenticated"): a_wrong_password,
    ("auth:login", "forbidden"): a_suspended_account,
    ("auth:refresh", "unauthenticated"): a_refresh_token_of_nobody,
    ("auth:refresh", "forbidden"): a_suspended_account,
    ("auth:logout", "unauthenticated"): a_refresh_token_of_nobody,
    ("auth:renew", "forbidden"): a_token_of_somebody_else,
    ("auth:renew", "unauthenticated"): a_token_of_nobody,
    ("auth:renew", "token_expired"): a_token_that_ran_out,
    ("auth:revoke", "not_found"): unknown_thing,
    ("auth:password", "forbidden"): a_wrong_old_password,
    ("user:delete", "forbidden"): a_wrong_password,
    ("user:get", "not_found"): unknown_thing,
    ("user:follow", "not_found"): unknown_thing,
    ("user:follow", "conflict"): oneself,
    ("user:block", "not_found"): unknown_thing,
    ("user:block", "conflict"): oneself,
    ("user:mute", "not_found"): unknown_thing,
    ("user:mute", "conflict"): oneself,
    ("user:followers", "not_found"): unknown_thing,
    ("user:following", "not_found"): unknown_thing,
    ("post:create", "conflict"): another_use_of_the_client_id,
    ("post:create", "not_found"): client_id_of_what_was_deleted,
    ("post:get", "not_found"): unknown_thing,
    ("post:update", "not_found"): unknown_thing,
    ("post:update", "forbidden"): somebody_elses,
    ("post:delete", "not_found"): unknown_thing,
    ("post:delete", "forbidden"): somebody_elses,
    ("post:list", "not_found"): unknown_thing,
    ("post:like", "not_found"): unknown_thing,
    ("post:hide", "not_found"): unknown_thing,
    ("post:hide", "forbidden"): somebody_elses,
    ("post:history", "not_found"): unknown_thing,
    ("post:likers", "not_found"): unknown_thing,
    ("poll:vote", "not_found"): unknown_thing,
    ("poll:vote", "conflict"): poll_that_is_closed,
    ("post:share", "not_found"): unknown_thing,
    ("post:share", "forbidden"): not_public,
    ("post:share", "conflict"): another_use_of_the_client_id,
    ("bookmark:add", "not_found"): unknown_thing,
    ("filter:set", "conflict"): too_many_filters,
    ("post:watch", "not_found"): unknown_thing,
    ("post:watch", "forbidden"): no_connection,
    ("post:unwatch", "forbidden"): no_connection,
    ("comment:create", "not_found"): unknown_thing,
    ("comment:create", "forbidden"): where_nobody_may_comment,
    ("comment:create", "conflict"): another_use_of_the_client_id,
    ("comment:list", "not_found"): unknown_thing,
    ("comment:update", "not_found"): unknown_thing,
    ("comment:update", "forbidden"): somebody_elses,
    ("comment:like", "not_found"): unknown_thing,
    ("comment:delete", "not_found"): unknown_thing,
    ("comment:delete", "forbidden"): somebody_elses,
    ("feed:subscribe", "forbidden"): no_connection,
    ("feed:unsubscribe", "forbidden"): no_connection,
    ("conversation:open", "not_found"): unknown_thing,
    ("conversation:open", "forbidden"): oneself,
    ("conversation:get", "not_found"): unknown_thing,
    ("message:send", "not_found"): unknown_thing,
    ("message:send", "forbidden"): after_a_block,
    ("message:send", "conflict"): another_use_of_the_client_id,
    ("message:write", "not_found"): unknown_thing,
    ("message:write", "forbidden"): after_a_block,
    ("message:write", "conflict"): another_use_of_the_client_id,
    ("message:list", "not_found"): unknown_thing,
    ("message:read", "not_found"): unknown_thing,
    ("message:delivered", "not_found"): unknown_thing,
}
"""The provocations, by the command's name and the error code."""
