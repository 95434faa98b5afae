import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from server.dev.embedded_binaries import EmbeddedError
from server.dev.embedded_postgres import EmbeddedPostgres
from tests.kit.services import run_async


async def value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split("\n", 1)[0])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data", durable=False)
    try:
        yield server
    finally:
        server.stop()


def test_it_keeps_its_data_over_a_stop(server: EmbeddedPostgres) -> None:
    server.start()
    run_async(value(server.url, "CREATE TABLE kept (x int)"))
    server.stop()
    assert not server.running()
    server.start()
    assert run_async(value(server.url, "SELECT count(*) FROM kept")) == 0


def test_it_sorts_by_code_point_and_knows_letters(server: EmbeddedPostgres) -> None:
    server.start()
    assert run_async(value(server.url, "SELECT 'Z' < 'a' AND lower('É') = 'é'")) is True


def test_only_its_socket_lets_people_in(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.start()
    assert run_async(value(server.url, "SHOW listen_addresses")) == ""
    assert (tmp_path / "data" / "socket").stat().st_mode & 0o077 == 0


def test_what_was_killed_leaves_nothing_in_the_way(server: EmbeddedPostgres) -> None:
    server.start()
    os.kill(postmaster(server), signal.SIGKILL)
    while server.running():
        time.sleep(0.001)
    server.start()
    assert run_async(value(server.url, "SELECT 1")) == 1


def test_a_pid_file_with_the_pid_of_another_program_is_no_obstacle(server: EmbeddedPostgres) -> None:
    server.start()
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    (server.data / "postmaster.pid").write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    assert not server.running()
    server.stop()
    server.start()
    assert server.running()


def test_a_first_start_that_was_interrupted_is_done_again(server: EmbeddedPostgres, tmp_path: Path) -> None:
    unfinished = tmp_path / "data" / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("17\n")
    server.start()
    assert server.running()


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long " * 30), durable=False)
    server.start()
    try:
        assert run_async(value(server.url, "SELECT 1")) == 1
    finally:
        server.stop()


@pytest.mark.parametrize("lost", ["global/pg_control", "base", "PG_VERSION"])
def test_damage_is_reported_with_advice(server: EmbeddedPostgres, lost: str) -> None:
    server.start()
    server.stop()
    path = server.data / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(EmbeddedError, match="does not start .*./run reset") as told:
        server.start()
    assert "\n" not in str(told.value)


def test_data_of_another_version_is_left_alone(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedError, match="made by PostgreSQL 14"):
        server.start()


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match="cannot keep a database in .*Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "folder").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")
def test_root_without_user_namespaces_runs_it_as_nobody(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for server in (
        EmbeddedPostgres(tmp_path / "data", durable=False, user_namespaces=False),
        EmbeddedPostgres(tmp_path / "data", durable=False),  # the data stays with whom it was made for
    ):
        server.start()
        try:
            assert Path(f"/proc/{postmaster(server)}").stat().st_uid == 65534
            assert run_async(value(server.url, "SELECT 1")) == 1
        finally:
            server.stop()
    shutil.rmtree(server.data.resolve().parent)
