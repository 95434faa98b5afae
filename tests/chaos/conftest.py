"""What the scenarios share: the size of the crowd, the network, and the processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio

from tests.chaos.cluster import Cluster, running_cluster
from tests.chaos.crowd import DEVICES_EACH, Login, read_logins, write_graph
from tests.chaos.truth import Connection
from tests.journeys.servers import run_verb, settings_of_processes
from tests.kit.services import Valkey

_SHORT_CLIENTS, _LONG_CLIENTS = 80, 2_000


@dataclass(frozen=True, slots=True)
class Form:
    """How large and how long the scenarios are. `-m chaos` selects the long form, `--chaos-clients` a size."""

    clients: int
    is_long: bool
    before_s: float
    after_s: float
    halted_s: float
    away_s: float
    usual_s: int
    pace: float
    """The factor for the clients' delays."""

    @property
    def messages_per_s(self) -> float:
        return max(20.0, self.clients / 40)

    @property
    def posts_per_s(self) -> float:
        return max(2.0, self.clients / 400)


@pytest.fixture(scope="session")
def form(pytestconfig: pytest.Config) -> Form:
    is_long = pytestconfig.getoption("markexpr") == "chaos"
    clients = pytestconfig.getoption("chaos_clients") or (_LONG_CLIENTS if is_long else _SHORT_CLIENTS)
    if is_long:
        return Form(clients, is_long=True, before_s=10.0, after_s=15.0, halted_s=20.0, away_s=3.0, usual_s=8, pace=1.0)
    return Form(clients, is_long=False, before_s=0.5, after_s=1.0, halted_s=5.5, away_s=0.5, usual_s=3, pace=0.25)


@pytest.fixture(scope="module")
def logins(database_url: str, form: Form, tmp_path_factory: pytest.TempPathFactory) -> list[Login]:
    """A database with people who follow each other in groups and have conversations."""
    folder = tmp_path_factory.mktemp("network")
    write_graph(folder / "graph", form.clients // DEVICES_EACH)
    environment = settings_of_processes(database_url, "", folder / "data")
    run_verb(
        *("seed", "--graph", str(folder / "graph"), "--posts", "0", "--tokens", str(folder / "tokens")),
        environment=environment,
    )
    return read_logins(folder / "tokens")


@pytest.fixture(scope="module")
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    try:
        yield valkey
    finally:
        valkey.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(
    logins: list[Login], database_url: str, own_valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Cluster]:
    """The cluster, which runs through all scenarios as it would in production."""
    async with running_cluster(database_url, own_valkey, tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def database(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()
