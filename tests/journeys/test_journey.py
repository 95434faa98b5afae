"""People of a real network use real servers at the same time, and nothing is lost, doubled or wrong."""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from tests.journeys import closing
from tests.journeys.crowd import Friends, Login, Way, choose_numbers, connected_crowd, read_friends, read_logins
from tests.journeys.play import Play
from tests.journeys.record import Record
from tests.journeys.relations import Relations
from tests.journeys.rows import Rows
from tests.journeys.servers import ServerProcess, run_verb, settings_of_processes
from tests.kit.services import database_clone

GRAPH = Path(__file__).parents[3] / "shared" / "data" / "facebook_combined.txt"
GRAPH_EDGES = 88_234
SEEDED_POSTS = 6_000
QUIET_FEEDS_READ = 10

WEBSOCKET = ("websocket",)
UPGRADING = ("polling", "websocket")
POLLING = ("polling",)

# Each keeps two cores busy: they are in one file, so that one worker runs them one after the other.
pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True, slots=True)
class Scene:
    """Which processes run, how clients connect, and how many acts there are per second."""

    verbs: tuple[str, ...]
    transports: tuple[tuple[str, ...], ...]
    actions_per_s: float
    seed: int


SCENES = {
    "one_process": Scene(("up",), (WEBSOCKET, UPGRADING), actions_per_s=40, seed=1),
    "polling_only": Scene(("up",), (POLLING,), actions_per_s=24, seed=2),
    "two_nodes_and_a_worker": Scene(
        ("serve", "serve", "worker"), (WEBSOCKET, POLLING, UPGRADING), actions_per_s=32, seed=3
    ),
}
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Network:
    """A database with the graph, which is copied for each journey."""

    database: str
    friends: Friends
    logins: dict[int, Login]


@pytest.fixture(scope="module")
def network(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Network:
    if not GRAPH.exists():
        pytest.skip(f"the journeys need {GRAPH.name} in shared/data beside the checkout")
    folder = tmp_path_factory.mktemp("network")
    tokens = folder / "tokens"
    environment = settings_of_processes(database_url, "", folder / "data")
    run_verb(
        "seed", "--graph", str(GRAPH), "--posts", str(SEEDED_POSTS), "--tokens", str(tokens), environment=environment
    )
    friends = read_friends(GRAPH)
    return Network(urlsplit(database_url).path.removeprefix("/"), friends, read_logins(tokens, friends))


@pytest.fixture
def own_database(postgres_admin_url: str, network: Network) -> Iterator[str]:
    """A copy of the network."""
    with database_clone(postgres_admin_url, network.database, f"{network.database}_journey") as url:
        yield url


@pytest_asyncio.fixture
async def rows(own_database: str) -> AsyncIterator[Rows]:
    connection = await asyncpg.connect(own_database)
    try:
        yield Rows(connection)
    finally:
        await connection.close()


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
async def test_a_journey(
    scene: Scene, network: Network, rows: Rows, own_database: str, redis_url: str, tmp_path: Path
) -> None:
    environment = settings_of_processes(own_database, redis_url, tmp_path / "data")
    chooser = random.Random(scene.seed)
    async with AsyncExitStack() as stack:
        processes = []
        for place, verb in enumerate(scene.verbs):
            processes.append(ServerProcess(verb, environment, tmp_path / f"{place}.log"))
            stack.callback(processes[-1].kill)
        await asyncio.gather(*(process.started() for process in processes))
        urls = [process.url for process in processes if process.url]
        ways = [
            Way(urls[n % len(urls)], scene.transports[n // len(urls)]) for n in range(len(urls) * len(scene.transports))
        ]

        logins = [network.logins[number] for number in choose_numbers(network.friends)]
        ids = [login.user_id for login in logins]
        members = await stack.enter_async_context(connected_crowd(logins, ways))
        assert await rows.follow_count() == 2 * GRAPH_EDGES
        follows, began = await rows.follows(ids), await rows.conversations(ids)
        known = {(a, b) for a in members for b in members if b.number in network.friends[a.number]}
        assert follows == {(a.id, b.id) for a, b in known}

        record = Record(Relations(follows, await rows.blocks()))
        play = Play(members, network.friends, record, seed=scene.seed)
        for member in members:
            page = await member.device.do("/feed", "feed:subscribe", {"limit": 5})
            assert [post["id"] for post in page["items"]] == (await rows.feed(member.id))[:5]
            await play.books[member].begin()

        await play.act(seconds=SECONDS, actions_per_s=scene.actions_per_s)
        await closing.settle(rows, members)
        for book in play.books.values():
            await book.attend()

        report = closing.deliveries(members, record, asyncio.get_running_loop().time())
        print(f"deliveries: {report.must} due, {report.must_not} not due, {report.may} open")
        print(f"accepted: {record.accepted}\nrefused: {record.refused}")
        # The hub's feed is the longest; those of the people whose relations change are the most difficult.
        readers = list(dict.fromkeys([members[0], *play.turbulent(), *chooser.sample(members, QUIET_FEEDS_READ)]))
        complaints = [
            *record.complaints,
            *closing.unasked(members, record.relations),
            *report.complaints,
            *await closing.check_record(rows, record, ids),
            *await closing.check_people(rows, members),
            *await closing.check_feeds(rows, readers, chooser),
            *await closing.check_chat(rows, members, play.books, record, began),
            *await rows.given_up_facts(),
        ]
        assert complaints == [], _told(complaints)
        # The journey really contained what it is meant to check.
        assert report.must > 500 and report.must_not > 500 and report.may < (report.must + report.must_not) / 20
        assert {"post:create", "post:like", "post:unlike", "comment:create", "message:send"} <= record.accepted.keys()
        assert {"user:follow", "user:unfollow", "user:block", "user:unblock"} <= record.accepted.keys()

        for member in members:
            if member.is_polling:
                await member.device.close()
        complaints = [line for found in await asyncio.gather(*(p.stop() for p in processes)) for line in found]
        assert complaints == [], _told(complaints)
        await asyncio.gather(*(member.device.expect_closed() for member in members))


def _told(complaints: Sequence[str]) -> str:
    """The first complaints of each kind."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for complaint in complaints:
        by_kind[re.sub(r"\d+", "N", complaint)[:40]].append(complaint)
    shown = [line for found in by_kind.values() for line in found[:3]]
    return f"{len(complaints)} complaints:\n" + "\n".join(shown[:40])
