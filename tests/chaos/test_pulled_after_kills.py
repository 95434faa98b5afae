"""Nodes and workers are killed and Redis loses everything, while stores pull now and then: each ends with what is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.chaos.cluster import Cluster, running_cluster
from tests.contract.sync_store import SyncStore
from tests.contract.walking_crowd import Crowd, act, gather_crowd
from tests.kit.server import Person, RunningServer
from tests.kit.services import Valkey

ROUNDS = 3
pytestmark = [pytest.mark.large, pytest.mark.timeout(120)]


class Address(RunningServer):
    """A node in another process."""

    def __init__(self, url: str, http: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.url = url
        self.http = http
        self._stack = stack

    def person_again(self, person: Person) -> Person:
        """The same person with the same tokens, connected here."""
        session = {"user": person.user, "access_token": person.access_token, "refresh_token": person.refresh_token}
        return Person(self, session, person.password)


async def fail(cluster: Cluster, number: int) -> None:
    """One after the other: a node, the worker, Redis."""
    match number % 3:
        case 0:
            await cluster.kill_node()
            await cluster.add_node()
        case 1:
            cluster.workers.pop(0).kill()
            await cluster.add_worker()
        case _:
            await cluster.restart_valkey(away_s=0.5)
    await cluster.healthy()


@pytest.mark.parametrize("seed", range(2))
async def test_stores_end_with_what_is(database_url: str, tmp_path: Path, seed: int) -> None:
    valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    try:
        async with (
            running_cluster(database_url, valkey, tmp_path) as cluster,
            aiohttp.ClientSession() as http,
            AsyncExitStack() as stack,
        ):

            def addresses() -> list[Address]:
                return [Address(url, http, stack) for url in cluster.addresses()]

            crowd = await gather_crowd(addresses(), "killed", seed, database_url=database_url)
            stores = [SyncStore(person) for person in crowd.people]
            await asyncio.gather(*(store.pull() for store in stores))
            for number in range(2 * ROUNDS):
                for _ in range(ROUNDS):
                    await act(crowd)
                await fail(cluster, number)
                crowd = come_back(crowd, stores, addresses())
                await asyncio.gather(*(store.pull() for store in stores if crowd.chance.random() < 0.5))
            await asyncio.gather(*(store.pull() for store in stores))
            assert [line for store in stores for line in await store.differences()] == []
    finally:
        valkey.stop()


def come_back(crowd: Crowd, stores: Sequence[SyncStore], addresses: Sequence[Address]) -> Crowd:
    """Everybody connects again, anywhere; their stores have what they had."""
    people = [crowd.chance.choice(addresses).person_again(person) for person in crowd.people]
    for store, person in zip(stores, people, strict=True):
        store.person = person
    return crowd._replace(people=people)
