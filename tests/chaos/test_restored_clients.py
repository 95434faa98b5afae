"""Clients of a database that was restored: what they know of its lost future is taken back, and nothing stays wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from server.dev.embedded_postgres import EmbeddedPostgres
from sql.migrate import migrate
from tests.chaos.clusters import archive, copy_files, recover_to, run_program, start_archiving, two_clusters
from tests.contract.sync_store import SyncStore
from tests.contract.walking_crowd import Crowd, act, gather_crowd
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.kit.services import url_of_database

WITHIN_S = 10.0
pytestmark = [pytest.mark.large, pytest.mark.timeout(180)]


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    with two_clusters(tmp_path) as made:
        yield made


async def begin(server: RunningServer) -> tuple[Crowd, list[SyncStore]]:
    crowd = await gather_crowd([server], "restored", 1)
    for _ in range(4):
        await act(crowd)
    stores = [SyncStore(person) for person in crowd.people]
    for store in stores:
        await store.pull()
    return crowd, stores


async def live_on(crowd: Crowd, stores: list[SyncStore]) -> None:
    """What happens here will be lost: half of the stores have heard of it."""
    for _ in range(6):
        await act(crowd)
    for store in stores[::2]:
        await store.pull()
        await store.person.do("/feed", "feed:page", {"limit": 100})


def at(server: RunningServer, person: Person) -> Person:
    """The same person with the same tokens, at another server."""
    session = {"user": person.user, "access_token": person.access_token, "refresh_token": person.refresh_token}
    return Person(server, session, person.password)


async def judge(server: RunningServer, crowd: Crowd, stores: list[SyncStore]) -> None:
    people = [at(server, person) for person in crowd.people]
    for store, person in zip(stores, people, strict=True):
        store.person = person
        await store.pull()
        assert store.resets, "its cursor is of the history that was lost"
    for _ in range(6):
        await act(crowd._replace(people=people, database_url=server.settings.database_url))
    for store in stores:
        await store.pull()
        assert await store.differences() == []
        await until_the_feed_is(store.person, sorted(store.items["feed"], key=int, reverse=True))


async def until_the_feed_is(person: Person, post_ids: list[str]) -> None:
    """Pages come from lists in Redis, which has heard of both histories; consumers of Facts fill them a bit later."""
    shown: list[str] = []
    async with asyncio.timeout(WITHIN_S):
        while shown != post_ids:
            await asyncio.sleep(0.05)
            page = await person.do("/feed", "feed:page", {"limit": 100})
            shown = [post["id"] for post in page["items"]]


async def test_after_a_dump_was_restored(
    clusters: tuple[EmbeddedPostgres, EmbeddedPostgres], redis_url: str, tmp_path: Path
) -> None:
    first, second = clusters
    first.start()
    await migrate(first.url)
    async with running_server(settings_for_tests(first.url, redis_url)) as server:
        crowd, stores = await begin(server)
        run_program("pg_dump", "--dbname", first.url, "--file", str(tmp_path / "dump.sql"))
        await live_on(crowd, stores)
    second.start()
    connection = await asyncpg.connect(second.url)
    await connection.execute("CREATE DATABASE again")
    await connection.close()
    # Two restores of one dump: the cursors of the first are of another history than the second, though of one epoch.
    for url in (second.url, url_of_database(second.url, "again")):
        restored = ("--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--file", str(tmp_path / "dump.sql"))
        run_program("psql", *restored)
        async with running_server(settings_for_tests(url, redis_url)) as server:
            await judge(server, crowd, stores)


async def test_after_a_recovery_to_a_point_in_time(
    clusters: tuple[EmbeddedPostgres, EmbeddedPostgres], redis_url: str
) -> None:
    first, second = clusters
    await start_archiving(first)
    connection = await asyncpg.connect(first.url)
    async with running_server(settings_for_tests(first.url, redis_url)) as server:
        await copy_files(connection, first, second)
        crowd, stores = await begin(server)
        moment = await connection.fetchval("SELECT clock_timestamp()::text")
        await live_on(crowd, stores)
        await archive(connection)
    await connection.close()
    recover_to(moment, first, second)
    second.start()
    async with running_server(settings_for_tests(second.url, redis_url)) as server:
        await judge(server, crowd, stores)
