import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from sql.errors import Unavailable
from sql.migrate import MIGRATIONS, MigrationFailed, migrate, pending

NAMES = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))


@pytest_asyncio.fixture
async def empty_url(database_url: str) -> AsyncIterator[str]:
    """A database that was never migrated."""
    name = database_url.split("?")[0].rsplit("/", 1)[1]
    empty = f"{name}_empty"
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE DATABASE {empty} TEMPLATE template0")
    yield database_url.replace(f"/{name}", f"/{empty}", 1)
    await connection.execute(f"DROP DATABASE {empty} WITH (FORCE)")
    await connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may change."""
    return shutil.copytree(MIGRATIONS, tmp_path / "migrations")


def add(folder: Path, name: str, sql: str) -> None:
    (folder / f"{name}.sql").write_text(
        f"-- Added by a test\n-- depends: {' '.join(NAMES)}\n\n-- migrate: apply\n\n{sql}\n\n-- migrate: rollback\n"
    )


async def value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_several_nodes_migrate_at_once_and_each_file_is_applied_once(empty_url: str) -> None:
    assert await pending(empty_url) == NAMES
    applied = await asyncio.gather(*(migrate(empty_url) for _ in range(4)))
    assert sum(applied) == len(NAMES)
    assert await pending(empty_url) == []
    assert await migrate(empty_url.replace("postgresql://", "postgresql+asyncpg://")) == 0


async def test_applying_files_is_no_reason_to_warn(empty_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await migrate(empty_url)
    told = [record for record in caplog.records if record.name == "sql.migrate"]
    assert sorted(record.getMessage() for record in told) == [f"Applying {name}" for name in NAMES]
    assert {record.levelname for record in told} == {"INFO"}


async def test_a_new_file_is_pending_then_applied(empty_url: str, folder: Path) -> None:
    await migrate(empty_url, folder=folder)
    add(folder, "9999_new", "CREATE TABLE added (id bigint);")
    assert await pending(empty_url, folder=folder) == ["9999_new"]
    assert await migrate(empty_url, folder=folder) == 1
    assert await value(empty_url, "SELECT count(*) FROM added") == 0


async def test_a_node_with_fewer_files_leaves_a_newer_schema_alone(empty_url: str, folder: Path) -> None:
    add(folder, "9999_new", "CREATE TABLE added (id bigint);")
    await migrate(empty_url, folder=folder)
    assert await migrate(empty_url) == 0
    assert await pending(empty_url) == []


async def test_an_applied_file_that_was_edited_is_refused_by_name(empty_url: str, folder: Path) -> None:
    await migrate(empty_url, folder=folder)
    edited = folder / f"{NAMES[0]}.sql"
    edited.write_text(edited.read_text() + "\n-- one more thing\n")
    for act in (migrate, pending):
        with pytest.raises(MigrationFailed, match=f"{NAMES[0]}.sql was edited"):
            await act(empty_url, folder=folder)


async def test_a_bad_file_is_named_and_leaves_nothing_behind(empty_url: str, folder: Path) -> None:
    add(folder, "9999_bad", "CREATE TABLE half (id bigint);\n\nSELECT no_such_function();")
    with pytest.raises(MigrationFailed, match="9999_bad.*no_such_function"):
        await migrate(empty_url, folder=folder)
    assert await value(empty_url, "SELECT to_regclass('half') IS NULL")
    assert await pending(empty_url, folder=folder) == ["9999_bad"]
    add(folder, "9999_bad", "CREATE TABLE whole (id bigint);")
    assert await migrate(empty_url, folder=folder) == 1


async def test_waiting_for_another_migration_has_a_timeout(empty_url: str) -> None:
    holder = await asyncpg.connect(empty_url)
    await holder.execute("SELECT pg_advisory_lock(1380929355)")
    with pytest.raises(MigrationFailed, match="another process"):
        await migrate(empty_url, lock_timeout_s=0.1)
    await holder.close()
    assert await migrate(empty_url) == len(NAMES)


async def test_a_database_that_is_not_there_is_unavailable_or_named(database_url: str) -> None:
    with pytest.raises(Unavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/none")


def test_every_file_goes_forward_only_and_depends_on_an_earlier_one() -> None:
    for name in NAMES:
        head, body = (MIGRATIONS / f"{name}.sql").read_text().split("-- migrate: apply")
        depends = head.split("-- depends:")[1].split()
        assert all(other < name for other in depends) and (depends or name == NAMES[0])
        assert body.split("-- migrate: rollback")[1].strip() == ""
