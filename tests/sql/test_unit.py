import asyncio

import pytest

from sql.database import Database, Queries
from sql.errors import Unavailable, UniqueViolated
from sql.ids import UserId
from sql.pool import close_pool
from sql.unit import Units, transaction
from tests.kit.pool import end_unnoticed, opened_pool
from tests.sql.world import World


async def register(db: Database, username: str) -> UserId:
    return await db.accounts.insert_user(
        username=username,
        username_folded=username,
        email=f"{username}@example.org",
        email_folded=f"{username}@example.org",
        phone=None,
        password_hash="h",
        display_name="",
    )


async def exists(world: World, username: str) -> bool:
    found: bool = await world.value("SELECT EXISTS (SELECT FROM users WHERE username = $1)", username)
    return found


async def gone(world: World, process_id: int) -> None:
    """Waits until a connection's process at the server has ended."""
    while await world.value("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", process_id):
        await asyncio.sleep(0.01)


async def test_a_write_is_committed_at_the_end_of_its_block(world: World) -> None:
    async with world.units.write() as db:
        await register(db, "committed")
        assert not await exists(world, "committed")
    assert await exists(world, "committed")


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, OSError])
async def test_an_exception_in_the_block_rolls_back_and_is_raised_again(
    world: World, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        async with world.units.write() as db:
            await register(db, "undone")
            raise error
    assert not await exists(world, "undone")


async def test_a_write_is_a_transaction(world: World) -> None:
    async with world.units.write() as db:
        assert db.connection.is_in_transaction()


async def test_a_savepoint_fails_alone(world: World) -> None:
    async with world.units.write() as db:
        await register(db, "kept")
        with pytest.raises(UniqueViolated):
            async with transaction(db):
                await register(db, "dropped")
                await register(db, "kept")
        await register(db, "kept.too")
    assert [await exists(world, name) for name in ("kept", "dropped", "kept.too")] == [True, False, True]


async def test_a_caller_cancelled_in_a_query_leaves_a_usable_connection(database_url: str, queries: Queries) -> None:
    pool = await opened_pool(database_url, max_size=1)
    units = Units(pool, queries, acquire_timeout_s=5)

    async def wait_long() -> None:
        async with units.write() as db:
            await db.connection.execute("SELECT pg_sleep(4)")

    waiting = asyncio.create_task(wait_long())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with units.lend() as db:
        assert await db.connection.fetchval("SELECT 1") == 1
        assert not db.connection.is_in_transaction()
    await close_pool(pool, timeout_s=5)


@pytest.mark.parametrize("turns", range(12))
async def test_a_caller_cancelled_at_any_moment_leaves_the_pool_as_it_was(world: World, turns: int) -> None:
    async def write() -> None:
        async with world.units.write() as db:
            await db.connection.execute("SELECT 1")

    await write()  # connects, which would take many turns of the loop
    writing = asyncio.create_task(write())
    for _ in range(turns):
        await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    async with world.units.lend() as db:
        assert not db.connection.is_in_transaction()
    await write()


async def test_a_caller_cancelled_in_its_commit_leaves_no_transaction_behind(world: World) -> None:
    async with world.units.lend() as db:
        await db.connection.execute(
            "CREATE TABLE slow (id integer); CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_sleep(10); RETURN NULL; END';"
            "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )
    inserted = asyncio.Event()

    async def write_slowly() -> None:
        async with world.units.write() as db:
            await db.connection.execute("INSERT INTO slow VALUES (1)")
            inserted.set()

    writing = asyncio.create_task(write_slowly())
    await inserted.wait()
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    async with world.units.lend() as db:
        assert not db.connection.is_in_transaction()


async def test_a_pool_with_nothing_free_is_unavailable_after_the_timeout(database_url: str, queries: Queries) -> None:
    pool = await opened_pool(database_url, max_size=1)
    units = Units(pool, queries, acquire_timeout_s=0.25)
    async with units.lend():
        with pytest.raises(Unavailable):
            async with units.lend():
                pytest.fail("there is one connection only")
    async with units.lend() as db:
        assert await db.connection.fetchval("SELECT 1") == 1
    await close_pool(pool, timeout_s=5)


async def test_many_writers_get_their_turns_one_after_the_other(database_url: str, queries: Queries) -> None:
    """Together they take much longer than anybody waits while no connection becomes free."""
    pool = await opened_pool(database_url, max_size=2)
    units, done = Units(pool, queries, acquire_timeout_s=0.4, turn_timeout_s=20), list[int]()

    async def write(number: int) -> None:
        async with units.write() as db:
            await db.connection.execute("SELECT pg_sleep(0.01)")
        done.append(number)

    await asyncio.gather(*map(write, range(160)))
    assert all(abs(place - number) <= 2 for place, number in enumerate(done))
    await close_pool(pool, timeout_s=5)


async def test_idle_connections_that_were_lost_are_no_writers_trouble(world: World) -> None:
    async def process_id() -> int:
        async with world.units.write() as db:
            await db.connection.execute("SELECT pg_sleep(0.05)")
            return db.connection.get_server_pid()

    lost = set(await asyncio.gather(*(process_id() for _ in range(8))))
    end_unnoticed(*lost)
    assert len(lost) > 1
    assert await process_id() not in lost
    await world.person("ann")


async def test_a_connection_that_was_cut_is_unavailable_and_the_next_one_works(world: World) -> None:
    with pytest.raises(Unavailable):
        async with world.units.write() as db:
            process_id = db.connection.get_server_pid()
            await world.execute("SELECT pg_terminate_backend($1)", process_id)
            await gone(world, process_id)
            await register(db, "never")
    assert not await exists(world, "never")


@pytest.mark.parametrize("idle_ms", [1, 5, 50])
async def test_an_idle_transaction_is_ended_by_the_server(database_url: str, queries: Queries, idle_ms: int) -> None:
    """Wherever the end meets the block, it is an error of the block and nothing else."""
    pool = await opened_pool(database_url, min_size=0, idle_in_transaction_timeout_ms=idle_ms)
    world = World(Units(pool, queries, acquire_timeout_s=5))
    with pytest.raises(Unavailable):
        async with world.units.write() as db:
            await register(db, "asleep")
            await gone(world, db.connection.get_server_pid())
            await register(db, "awake")
    assert not await exists(world, "asleep")
    await close_pool(pool, timeout_s=5)
