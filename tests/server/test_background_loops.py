"""Background loops go on after unexpected errors, and leave connections to commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from handlers.context import Context, Reaction
from handlers.feature import Consumer, Feature, on_each
from realtime.contract.emissions import ToRoom, emission
from realtime.pubsub.room_names import person_room
from server.accounts.revocations import Revocations
from server.accounts.token_sweeper import TokenSweeper
from server.clock import SystemClock
from server.composition.node import Node
from server.features import FEATURES
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.odd_feature import HAPPENED, NOTED, Note, OddFeature
from tests.kit.pool import opened_pool
from tests.kit.server import running_server, settings_for_tests
from tests.kit.services import execute

WITHIN_S = 20


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _units(database_url: str) -> AsyncIterator[Units]:
    pool = await opened_pool(database_url)
    try:
        yield Units(pool, load_queries(), acquire_timeout_s=5)
    finally:
        await close_pool(pool, timeout_s=5)


async def test_revocations_are_read_after_a_callback_failed(database_url: str) -> None:
    heard: list[int] = []

    def on_revoked(login_session_ids: Sequence[int]) -> None:
        heard.extend(login_session_ids)
        if len(heard) == 1:
            raise ZeroDivisionError("a defect in a callback")

    await execute(
        database_url,
        "INSERT INTO users (id, username, username_folded, phone, password_hash)"
        " VALUES (1, 'ended', 'ended', '+1', '')",
        "INSERT INTO login_sessions (id, user_id) VALUES (1, 1), (2, 1)",
    )
    async with _units(database_url) as units:
        revocations = Revocations(units, SystemClock(), access_token_ttl_s=900, on_revoked=on_revoked, poll_s=0.02)
        await revocations.start()
        try:
            for login_session_id in (1, 2):
                await execute(
                    database_url, f"UPDATE login_sessions SET revoked_at = now() WHERE id = {login_session_id}"
                )
                await _until(partial(revocations.__contains__, login_session_id))
        finally:
            await revocations.stop()
    assert heard == [1, 2]


async def test_tokens_are_swept_after_a_defect(database_url: str) -> None:
    await execute(
        database_url,
        "INSERT INTO users (id, username, username_folded, phone, password_hash)"
        " VALUES (3, 'swept', 'swept', '+3', '')",
        "INSERT INTO login_sessions (id, user_id) VALUES (3, 3)",
        "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES ('x', 3, now() - interval '1 day')",
        "ALTER TABLE refresh_tokens RENAME TO hidden",
    )
    async with _units(database_url) as units:
        sweeper = TokenSweeper(units, SystemClock(), every_s=0.02)
        sweeper.start()
        try:
            await asyncio.sleep(0.3)
            await execute(database_url, "ALTER TABLE hidden RENAME TO refresh_tokens")
            async with asyncio.timeout(WITHIN_S):
                while await _token_count(units):
                    await asyncio.sleep(0.02)
        finally:
            await sweeper.stop()


async def _token_count(units: Units) -> int:
    async with units.write() as db:
        return int(await db.connection.fetchval("SELECT count(*) FROM refresh_tokens WHERE token_hash = 'x'"))


class _Slow:
    """A consumer that takes its time; `may_end` lets it go on."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()

    async def _hold(self, ctx: Context, note: Note) -> Reaction:
        self.begun += 1
        await self.may_end.wait()
        return Reaction(pushes=(emission(NOTED, Note(user_id=note.user_id), ToRoom(person_room(note.user_id))),))

    def feature(self) -> Feature:
        return Feature(name="slow", commands=(), consumers=(Consumer("slow_reader", (on_each(HAPPENED, self._hold),)),))


async def test_reactions_leave_connections_to_commands(database_url: str, redis_url: str) -> None:
    slow = _Slow()
    settings = settings_for_tests(database_url, redis_url, pool_max=4, acquire_timeout_s=0.5)
    features = (*FEATURES, OddFeature().feature(), slow.feature())
    async with running_server(settings, features=features) as server:
        me = await server.person("hurried")
        await execute(
            database_url,
            "INSERT INTO facts (lane, name, payload)"
            " SELECT n % 8, 'odd.happened', '{\"user_id\": \"1\"}' FROM generate_series(1, 12) AS n",
        )
        await _until(lambda: slow.begun > 1)
        await asyncio.sleep(0.2)
        answers = [await me.rest("GET", "/users/me") for _ in range(3)]
        slow.may_end.set()
    assert [status for status, _ in answers] == [200] * 3


async def test_a_worker_that_stops_publishes_what_it_has_begun(database_url: str, redis_url: str) -> None:
    slow = _Slow()
    settings = settings_for_tests(database_url, redis_url)
    features = (*FEATURES, OddFeature().feature(), slow.feature())
    async with running_server(settings, work=False, features=features) as server:
        me = await server.person("expectant")
        device = await me.device(namespaces=["/odd"])
        node = Node(settings, serve=False, work=True, features=features)
        await node.start()
        try:
            await me.rest("POST", "/odd/tell", {})
            await device.expect_push("odd:noted")  # from the command itself
            await _until(lambda: slow.begun == 1)
            asyncio.get_running_loop().call_later(0.1, slow.may_end.set)
        finally:
            await node.stop()
        assert await device.expect_push("odd:noted", timeout_s=2) == {"user_id": me.id}
