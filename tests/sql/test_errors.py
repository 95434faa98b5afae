import asyncio

import asyncpg
import pytest

from sql.database import Queries
from sql.errors import (
    DRIVER_ERRORS,
    BadText,
    ConstraintBroken,
    DatabaseError,
    ForeignKeyMissing,
    Retry,
    StatementTooSlow,
    Unavailable,
    UniqueViolated,
    raise_translated,
    translate,
)
from sql.ids import PostId, UserId
from sql.pool import close_pool
from sql.unit import Units, transaction
from tests.kit.pool import opened_pool
from tests.sql.world import World


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_text_that_cannot_be_stored_is_bad_text(world: World, text: str) -> None:
    ann = await world.person("ann")
    with pytest.raises(BadText):
        await world.post(ann, text)


async def test_nul_inside_json_is_bad_text(world: World) -> None:
    with pytest.raises(BadText):
        await world.write(lambda db: db.facts.insert_facts(names=["f"], payloads=['{"a": "\\u0000"}'], keys=[1]))


async def test_a_number_past_64_bits_is_bad_text(world: World) -> None:
    ann = await world.person("ann")
    with pytest.raises(BadText):
        await world.read(lambda db: db.posts.read_post(viewer_id=ann, post_id=PostId(2**63)))


async def test_a_missing_row_that_is_referred_to_names_its_constraint(world: World) -> None:
    with pytest.raises(ForeignKeyMissing) as caught:
        await world.write(lambda db: db.accounts.insert_session(user_id=UserId(1), user_agent="", address=""))
    assert caught.value.constraint == "login_sessions_user_id_fkey"


async def test_a_deadlock_can_be_tried_again(world: World) -> None:
    one, other = await world.people("a", "b")
    locked = asyncio.Barrier(2)

    async def lock_both(first: UserId, second: UserId) -> None:
        async with world.units.write() as db:
            await db.people.lock_users(user_ids=[first])
            await locked.wait()
            await db.people.lock_users(user_ids=[second])

    answers = await asyncio.gather(lock_both(one, other), lock_both(other, one), return_exceptions=True)
    assert [type(answer) for answer in answers if answer is not None] == [Retry]


async def test_a_slow_statement_is_unavailable(world: World, database_url: str, queries: Queries) -> None:
    pool = await opened_pool(database_url, max_size=1, statement_timeout_ms=100)
    hurried = World(Units(pool, queries, acquire_timeout_s=5))
    ann = await world.person("ann")
    async with world.units.write() as holder:
        await holder.people.lock_users(user_ids=[ann])
        with pytest.raises(StatementTooSlow, match="statement timeout"):
            await hurried.write(lambda db: db.people.lock_users(user_ids=[ann]))
    await close_pool(pool, timeout_s=5)


def test_faults_of_the_program_stay_as_they_are() -> None:
    assert translate(asyncpg.UndefinedTableError("no such table")) is None
    assert translate(asyncpg.InterfaceError("another operation is in progress")) is None
    assert translate(asyncpg.InternalClientError("got result for unknown protocol state")) is None
    with pytest.raises(asyncpg.PostgresSyntaxError):
        raise_translated(asyncpg.PostgresSyntaxError("typo"))


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.AdminShutdownError("terminating"),
        asyncpg.TooManyConnectionsError("sorry"),
        asyncpg.ReadOnlySQLTransactionError("read-only"),
        asyncpg.ConnectionDoesNotExistError("lost"),
        asyncpg.DiskFullError("full"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.InterfaceError("connection has been released back to the pool"),
        asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
        asyncpg.InvalidPasswordError("password authentication failed"),
        asyncpg.InvalidCatalogNameError("no such database"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
)
def test_what_a_retry_later_may_heal_is_unavailable(error: Exception) -> None:
    ours = translate(error)
    assert isinstance(ours, Unavailable)
    assert str(ours)


async def test_a_migration_beside_a_running_transaction_can_be_tried_again(world: World) -> None:
    await world.execute("CREATE TABLE changing (value integer)")
    async with world.units.lend() as db:
        await db.connection.fetch("SELECT * FROM changing")
        await world.execute("ALTER TABLE changing ALTER COLUMN value TYPE text")
        with pytest.raises(asyncpg.PostgresError) as changed:
            async with transaction(db):
                await db.connection.fetch("SELECT * FROM changing")
        assert isinstance(translate(changed.value), Retry)
        assert await db.connection.fetch("SELECT * FROM changing") == []


async def test_an_invalid_address_is_unavailable() -> None:
    with pytest.raises(DRIVER_ERRORS) as refused:
        await asyncpg.connect("nowhere")
    assert isinstance(translate(refused.value), Unavailable)


def test_constraints_are_one_family() -> None:
    for kind in (UniqueViolated, ForeignKeyMissing):
        assert issubclass(kind, ConstraintBroken) and issubclass(kind, DatabaseError)
