"""Which login sessions a node knows to be ended.

That they are refused then, on sockets and REST: tests/handlers/accounts/test_live_connections.py.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from server.accounts.revocations import OVERLAP_S, Revocations
from server.clock import SystemClock
from sql.unit import Units
from tests.kit.clock import ManualClock
from tests.kit.services import execute

LIFE_S = 900
WAIT_S = 20.0

_numbers = itertools.count(1)


def _ignore(login_session_ids: Sequence[int]) -> None:
    """For tests that look at the revocations alone."""


@asynccontextmanager
async def running(
    units: Units, clock: ManualClock | None = None, *, on_revoked: Callable[[Sequence[int]], None] = _ignore
) -> AsyncIterator[Revocations]:
    revocations = Revocations(
        units, clock or SystemClock(), access_token_ttl_s=LIFE_S, on_revoked=on_revoked, poll_s=0.02
    )
    await revocations.start()
    try:
        yield revocations
    finally:
        await revocations.stop()


async def login_session(database_url: str, *, ended_s_ago: float | None) -> int:
    """The id of a login session, ended some time ago if at all."""
    number = next(_numbers)
    ended = "NULL" if ended_s_ago is None else f"now() - interval '{ended_s_ago} seconds'"
    await execute(
        database_url,
        "INSERT INTO users (id, username, username_folded, phone, password_hash)"
        f" VALUES ({number}, 'r{number}', 'r{number}', '+{number}', '')",
        f"INSERT INTO login_sessions (id, user_id, revoked_at) VALUES ({number}, {number}, {ended})",
    )
    return number


async def until_known(revocations: Revocations, login_session_id: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while login_session_id not in revocations:
            await asyncio.sleep(0.01)


async def test_what_was_ended_before_the_start_is_known_after_it(units: Units, database_url: str) -> None:
    alive = await login_session(database_url, ended_s_ago=None)
    just = await login_session(database_url, ended_s_ago=1)
    at_the_end = await login_session(database_url, ended_s_ago=LIFE_S + OVERLAP_S - 20)
    long_ago = await login_session(database_url, ended_s_ago=LIFE_S + OVERLAP_S + 20)
    async with running(units) as revocations:
        assert [number in revocations for number in (alive, just, at_the_end, long_ago)] == [False, True, True, False]


async def test_what_ends_later_is_read_from_sql_and_reported_once(units: Units, database_url: str) -> None:
    ending = await login_session(database_url, ended_s_ago=None)
    reported: list[int] = []
    async with running(units, on_revoked=reported.extend) as revocations:
        reported.clear()
        await execute(database_url, f"UPDATE login_sessions SET revoked_at = now() WHERE id = {ending}")
        await until_known(revocations, ending)
        revocations.add([ending])
        marker = await login_session(database_url, ended_s_ago=0)
        await until_known(revocations, marker)
        assert reported == [ending, marker], "it was read again and again meanwhile"


async def test_a_push_is_believed_at_once(units: Units) -> None:
    reported: list[Sequence[int]] = []
    async with running(units, on_revoked=reported.append) as revocations:
        reported.clear()
        revocations.add([10**9, 10**9 + 1])
        revocations.add([10**9 + 1, 10**9 + 2])
        assert all(10**9 + number in revocations for number in range(3))
        assert reported == [[10**9, 10**9 + 1], [10**9 + 2]]


async def test_a_transaction_that_commits_late_is_not_overlooked(units: Units, database_url: str) -> None:
    async with running(units) as revocations:
        marker = await login_session(database_url, ended_s_ago=0)
        await until_known(revocations, marker)
        late = await login_session(database_url, ended_s_ago=OVERLAP_S - 20)
        await until_known(revocations, late)


async def test_what_ended_while_sql_was_away_is_known_when_it_is_back(units: Units, database_url: str) -> None:
    """However long it was away: the push may have been lost too."""
    away_s = 10 * OVERLAP_S
    ending = await login_session(database_url, ended_s_ago=None)
    clock = ManualClock(datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=away_s))
    async with running(units, clock) as revocations:
        await execute(database_url, "ALTER TABLE login_sessions RENAME TO away")
        clock.advance(away_s)
        await execute(
            database_url,
            f"UPDATE away SET revoked_at = now() - interval '{away_s / 2} seconds' WHERE id = {ending}",
            "ALTER TABLE away RENAME TO login_sessions",
        )
        await until_known(revocations, ending)


async def test_a_session_is_forgotten_when_all_its_tokens_have_expired(units: Units, database_url: str) -> None:
    clock = ManualClock(datetime.datetime.now(datetime.UTC))
    async with running(units, clock) as revocations:
        revocations.add([10**9])
        clock.advance(LIFE_S)
        marker = await login_session(database_url, ended_s_ago=-LIFE_S)
        await until_known(revocations, marker)
        assert 10**9 in revocations
        clock.advance(OVERLAP_S + 1)
        async with asyncio.timeout(WAIT_S):
            while 10**9 in revocations:
                await asyncio.sleep(0.01)
