"""Everything works through PgBouncer in transaction mode, which gives each transaction to any of its sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import pytest_asyncio

from realtime.contract.declarations import Repeat
from server.cli_error import CliError
from server.commands.backing_services import dependencies
from server.commands.migrate import migrate as migrate_command
from server.features import FEATURES
from server.pipeline.registry import Registry
from sql.migrate import MIGRATIONS, migrate, pending
from sql.pool import close_pool, open_pool
from tests.contract.world import make_world
from tests.kit.pgbouncer import CARRIES_STATEMENTS, SESSIONS, pgbouncer, version
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.kit.services import execute, run_async, url_of_database

WITHIN_S = 10.0
ENDING = ("auth:logout", "auth:password", "session:end", "post:delete", "comment:delete", "user:block", "user:delete")
LAST = "user:delete"
"""It closes the caller's connections."""
TIMEOUT_MS = 700


@pytest.fixture(scope="module", params=[False, True], ids=["unnamed statements", "named statements"])
def named(request: pytest.FixtureRequest) -> bool:
    if request.param and version() < CARRIES_STATEMENTS:
        pytest.skip("this PgBouncer is older than 1.21: it carries no prepared statements (PGBOUNCER may name a newer)")
    return bool(request.param)


@pytest.fixture(scope="module")
def pooled_url(database_url: str, named: bool) -> Iterator[str]:
    with pgbouncer(database_url, statements=200 if named else 0) as query:
        yield database_url.partition("?")[0] + query


@pytest.fixture
def empty_database(postgres_admin_url: str, database_url: str) -> Iterator[str]:
    """The name of a database that was never migrated."""
    name = f"{database_url.partition('?')[0].rsplit('/', 1)[1]}_empty"
    run_async(execute(postgres_admin_url, f"CREATE DATABASE {name} TEMPLATE template0"))
    yield name
    run_async(execute(postgres_admin_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest_asyncio.fixture
async def server(pooled_url: str, named: bool, redis_url: str) -> AsyncIterator[RunningServer]:
    settings = settings_for_tests(
        pooled_url, redis_url, database_named_statements=named, statement_timeout_ms=TIMEOUT_MS, pool_max=12
    )
    async with running_server(settings) as running:
        yield running


async def test_every_command_works_while_others_run(server: RunningServer, database_url: str, named: bool) -> None:
    commands = [bound.command for bound in Registry(FEATURES).commands()]
    commands.sort(key=lambda command: (command.repeat is not Repeat.READ, command.name in ENDING, command.name == LAST))
    worlds = await asyncio.gather(*(make_world(server, f"pooled.{named}.{number}".lower()) for number in range(2)))

    async def call_all(number: int) -> dict[str, str]:
        world, answers = worlds[number], dict[str, str]()
        device = await world.me.device(namespaces=sorted({command.namespace for command in commands}))
        for command in commands:
            answer = await device.call(command.namespace, command.name, world.payload(command))
            answers[command.name] = "ok" if answer["ok"] else answer["error"]["code"]
        return answers

    for answers in await asyncio.gather(*(call_all(number) for number in range(2))):
        assert {name: code for name, code in answers.items() if code in ("internal", "unavailable")} == {}
        assert sum(code == "ok" for code in answers.values()) > len(commands) * 0.9
    me = worlds[0].friend
    assert {(await me.rest("GET", "/feed"))[0] for _ in range(20)} == {200}
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    direct = await asyncpg.connect(database_url)
    assert await direct.fetchval(sessions) <= SESSIONS
    await direct.close()


async def test_a_statement_that_takes_too_long_is_cancelled_in_every_session(
    server: RunningServer, pooled_url: str, database_url: str, named: bool
) -> None:
    pool = await open_pool(
        pooled_url, min_size=0, max_size=12, connect_timeout_s=5, statement_timeout_ms=60_000, named_statements=named
    )

    async def shown() -> str:
        async with pool.lend() as connection, connection.transaction():
            await connection.execute("SELECT pg_sleep(0.02)")
            return str(await connection.fetchval("SELECT current_setting('statement_timeout')"))

    assert set(await asyncio.gather(*(shown() for _ in range(24)))) == {f"{TIMEOUT_MS}ms"}
    await close_pool(pool, timeout_s=5)
    me = await server.person(f"patient.{named}".lower())
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE users")
        began_s = asyncio.get_running_loop().time()
        answer = await me.call("/users", "user:update", {"bio": "late"})
        took_s = asyncio.get_running_loop().time() - began_s
    await holder.close()
    assert answer["error"]["code"] == "unavailable"
    assert took_s < TIMEOUT_MS / 1000 + 1.5, "asyncpg gives up two seconds after PostgreSQL"


async def test_ready_is_false_while_queries_fail(server: RunningServer, database_url: str) -> None:
    async def readiness() -> tuple[int, str]:
        async with server.http.get(f"{server.url}/ready") as response:
            return response.status, (await response.json())["checks"]["database"]

    async def until_ready() -> None:
        async with asyncio.timeout(WITHIN_S):
            while await readiness() != (200, "ok"):
                await asyncio.sleep(0.02)

    await until_ready()
    await execute(database_url, "ALTER TABLE facts RENAME TO facts_hidden")
    try:
        status, told = await readiness()
        assert status == 503
        assert "facts" in told
    finally:
        await execute(database_url, "ALTER TABLE facts_hidden RENAME TO facts")
    await until_ready()


async def test_migrations_lock_for_one_transaction_each(
    pooled_url: str, postgres_admin_url: str, empty_database: str
) -> None:
    """A session's lock would stay in the pooler, and let the next process wait for a client that has gone."""
    url = url_of_database(pooled_url, empty_database)
    applied = await asyncio.gather(*(migrate(url) for _ in range(3)))
    assert sum(applied) == len(list(MIGRATIONS.glob("*.sql")))
    assert await pending(url) == []
    direct = await asyncpg.connect(url_of_database(postgres_admin_url, empty_database))
    assert await direct.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    await direct.close()


def test_migrations_go_past_the_pooler_where_they_may(
    database_url: str, postgres_admin_url: str, empty_database: str, redis_url: str
) -> None:
    direct_url = url_of_database(postgres_admin_url, empty_database)
    migrate_command(settings_for_tests(database_url, redis_url, database_direct_url=direct_url))
    assert run_async(pending(direct_url)) == []


def test_a_pooler_that_loses_prepared_statements_is_refused_at_the_start(database_url: str, redis_url: str) -> None:
    with pgbouncer(database_url) as query:
        settings = settings_for_tests(database_url.partition("?")[0] + query, redis_url)
        with pytest.raises(CliError, match="DATABASE_NAMED_STATEMENTS=false"), dependencies(settings, redis=False):
            pass
        careful = settings.model_copy(update={"database_named_statements": False})
        with dependencies(careful, redis=False) as reached:
            assert reached.database_url == settings.database_url
