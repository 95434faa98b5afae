"""Background loops go on after unexpected errors, and leave connections to commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest
from redis.asyncio import Redis

from handlers.context import Context, Reaction
from handlers.feature import Consumer, Feature, on
from realtime.contract.emissions import ToRoom, emission
from realtime.pubsub.room_names import person_room
from realtime.redis.client import open_redis
from server.accounts.revocations import Revocations
from server.accounts.token_sweeper import TokenSweeper
from server.clock import SystemClock
from server.composition.node import Node
from server.features import FEATURES
from server.worker import relay, worker
from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.log_watch import watched_log
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


@asynccontextmanager
async def _redis(redis_url: str) -> AsyncIterator[Redis]:
    redis = open_redis(redis_url, client_name="test-loops")
    try:
        yield redis
    finally:
        await redis.aclose()


async def test_relay_and_consumers_survive_a_stream_that_is_none(database_url: str, redis_url: str) -> None:
    odd = OddFeature()
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server, _redis(redis_url) as redis:
        me = await server.person("streamer")
        await redis.delete("{facts}:odd.happened")
        await redis.set("{facts}:odd.happened", "no stream")
        await me.rest("POST", "/odd/tell", {})
        await asyncio.sleep(2 * worker.PAUSE_AFTER_FAILURE_S)
        assert odd.reactions == []
        await redis.delete("{facts}:odd.happened")
        await _until(lambda: bool(odd.reactions))
    assert odd.reactions == [int(me.id)]


async def test_a_consumer_survives_that_nothing_can_be_parked(database_url: str, redis_url: str) -> None:
    await execute(
        database_url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'too slow' USING ERRCODE = '57014'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON fact_done FOR EACH ROW WHEN (NEW.error <> '')"
        " EXECUTE FUNCTION refuse()",
    )
    odd = OddFeature()
    try:
        settings = settings_for_tests(database_url, redis_url, reclaim_idle_ms=100)
        async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
            me = await server.person("parker")
            await me.rest("POST", "/odd/poison", {})
            await _until(lambda: odd.poisoned >= worker.TRIES_BEFORE_PARKING + 2)
    finally:
        await execute(database_url, "DROP FUNCTION refuse CASCADE")


async def test_an_error_that_quotes_what_cannot_be_stored_is_parked(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "TRIES_BEFORE_PARKING", 1)

    async def choke(ctx: Context, note: Note) -> Reaction:
        raise ValueError("odd \0 and \ud800")

    choker = Feature(name="choker", commands=(), consumers=(Consumer("quoter", (on(HAPPENED, choke),)),))
    features = (*FEATURES, OddFeature().feature(), choker)
    async with running_server(settings_for_tests(database_url, redis_url), features=features) as server:
        await (await server.person("quoted")).rest("POST", "/odd/tell", {})
        connection = await asyncpg.connect(database_url)
        try:
            async with asyncio.timeout(WITHIN_S):
                while not (told := await connection.fetchval("SELECT error FROM fact_done WHERE consumer = 'quoter'")):
                    await asyncio.sleep(0.05)
        finally:
            await connection.close()
    assert told == "ValueError: odd \\0 and \\ud800"


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
    """A consumer that takes its time from its so many-th Fact on; `may_end` lets it go on."""

    def __init__(self, *, holds_from: int = 1) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self._holds_from = holds_from

    async def _hold(self, ctx: Context, note: Note) -> Reaction:
        self.begun += 1
        if self.begun >= self._holds_from:
            await self.may_end.wait()
        else:
            await asyncio.sleep(0.3)
        return Reaction(pushes=(emission(NOTED, Note(user_id=note.user_id), ToRoom(person_room(note.user_id))),))

    def feature(self) -> Feature:
        return Feature(name="slow", commands=(), consumers=(Consumer("slow_reader", (on(HAPPENED, self._hold),)),))


async def test_reactions_leave_connections_to_commands(database_url: str, redis_url: str) -> None:
    slow = _Slow(holds_from=2)  # while it works on the first one, the others come together
    settings = settings_for_tests(database_url, redis_url, pool_max=4, acquire_timeout_s=0.5)
    features = (*FEATURES, OddFeature().feature(), slow.feature())
    async with running_server(settings, features=features) as server:
        me = await server.person("hurried")
        await execute(
            database_url,
            "INSERT INTO outbox (fact, payload)"
            " SELECT 'odd.happened', '{\"user_id\": \"1\"}' FROM generate_series(1, 12)",
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


@pytest.mark.parametrize(("state", "level"), [("P0001", "error"), ("57014", "warning")], ids=["defect", "outage"])
async def test_a_loop_that_keeps_failing_logs_the_beginning_and_the_end(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, state: str, level: str
) -> None:
    for module, name in ((relay, "PAUSE_AFTER_FAILURE_S"), (relay, "IDLE_POLL_S"), (worker, "SWEEP_EVERY_S")):
        monkeypatch.setattr(module, name, 0.01)
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE SEQUENCE tries; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" PERFORM nextval('tries'); RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$"
    )
    lines = ("relay_waits", "sweep_waits")
    overs = tuple(f"{line}_over" for line in lines)
    try:
        with watched_log(*lines, *overs) as logged:
            async with running_server(settings_for_tests(database_url, redis_url)):
                await connection.execute(
                    "CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON outbox"
                    " FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
                )
                async with asyncio.timeout(WITHIN_S):
                    while await connection.fetchval("SELECT last_value FROM tries") < 10:
                        await asyncio.sleep(0.01)
                assert sorted(line["event"] for line in logged) == sorted(lines)
                assert {"exc_info" in line for line in logged} == {level == "error"}
                await connection.execute("DROP TRIGGER refuse ON outbox")
                await _until(lambda: len(logged) == 4)
    finally:
        await connection.execute("DROP FUNCTION refuse CASCADE; DROP SEQUENCE tries")
        await connection.close()
    assert sorted(line["event"] for line in logged) == sorted((*lines, *overs))
