"""Decides about accounts and posts: roles, bans, deletions. It holds on every node at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, get_args

from handlers.accounts import acts
from handlers.accounts.acts import Act
from handlers.case_folding import folded
from handlers.context import Context, Outcome
from realtime.contract.errors import NOT_FOUND, CommandError
from realtime.contract.wire import NOTHING, Nothing
from server.cli_error import CliError
from server.commands.backing_services import dependencies, report
from server.composition.node import Node
from server.config import Settings
from sql.ids import MAX_ID, PostId

ROLES: Final[tuple[acts.Role, ...]] = get_args(acts.Role)

ACTS_MAX: Final = 100

Operation = Callable[[Context], Awaitable[Outcome[Nothing]]]


def set_role(settings: Settings, username: str, role: str, *, reason: str) -> None:
    """Gives a user a role. Raises CliError for a user or a role that does not exist, as the others do."""
    wanted = next((name for name in ROLES if name == role), None)
    if wanted is None:
        raise CliError(f"there is no role {role}; there are: {', '.join(ROLES)}")
    _run(settings, lambda ctx: acts.set_role(ctx, Act(reason=reason), username, wanted))
    report(f"{username} has the role {role}")


def ban(settings: Settings, username: str, *, reason: str) -> None:
    _run(settings, lambda ctx: acts.ban(ctx, Act(reason=reason), username))
    report(f"{username} is suspended, and hidden from everybody")


def unban(settings: Settings, username: str, *, reason: str) -> None:
    _run(settings, lambda ctx: acts.unban(ctx, Act(reason=reason), username))
    report(f"{username} is not suspended any more")


def delete_user(settings: Settings, username: str, *, reason: str) -> None:
    _run(settings, lambda ctx: acts.delete_user(ctx, Act(reason=reason), username))
    report(f"{username} is deleted; logging in within 14 days takes it back, unless they are suspended too")


def delete_post(settings: Settings, post_id: str, *, reason: str) -> None:
    if not post_id.isdecimal() or int(post_id) > MAX_ID:
        raise CliError(f"{post_id} is no id of a post")
    _run(settings, lambda ctx: acts.delete_post(ctx, Act(reason=reason), PostId(int(post_id))))
    report(f"post {post_id} is deleted")


def show_acts(settings: Settings, username: str) -> None:
    """Prints a line for each of the last acts on a user, the latest first."""

    async def show(ctx: Context) -> Outcome[Nothing]:
        user = await ctx.db.accounts.find_user(username_folded=folded(username))
        if user is None:
            raise CommandError(NOT_FOUND, f"There is no user {username}.")
        for row in await ctx.db.accounts.list_acts(user_id=user.id, row_limit=ACTS_MAX):
            what = [row.act, row.role, None if row.post_id is None else str(row.post_id), row.reason]
            told = " ".join(part for part in what if part)
            print(f"{row.made_at:%Y-%m-%d %H:%M:%S} {row.actor or 'operator'}: {told}")
        return Outcome(NOTHING)

    _run(settings, show)


def _run(settings: Settings, operation: Operation) -> None:
    with dependencies(settings) as reached:
        asyncio.run(_run_on(reached, operation))


async def _run_on(settings: Settings, operation: Operation) -> None:
    """As a node that serves nobody, so that all others are told at once."""
    node = Node(settings, serve=False, work=False)
    await node.start()
    try:
        await node.operator.run(operation)
    except CommandError as error:
        raise CliError(error.message) from error
    finally:
        await node.stop()
