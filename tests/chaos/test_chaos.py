"""Components fail while many people use the product, and nothing is lost, doubled, reordered or withheld."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import mean, median
from typing import NamedTuple

import orjson
import pytest

from tests.chaos.checker import Complaint, check, check_converged
from tests.chaos.cluster import MAX_UNREAD_BYTES, Cluster
from tests.chaos.conftest import Form
from tests.chaos.crowd import GROUP, Crowd, Login
from tests.chaos.database_load import DatabaseLoad, watched_database
from tests.chaos.good_client import NAMESPACES, GoodClient
from tests.chaos.history import Connected, Heard, Lost, Read, Told
from tests.chaos.truth import Connection, count_wrong_counters, read_truth
from tests.journeys.checks import log_complaints
from tests.journeys.servers import POOL_MAX
from tests.kit.light_socket import LightSocket

CONVERGED_TIMEOUT_S = 60.0
SLOWER_AFTERWARDS_MAX = 10
"""By what factor answers may take longer after the fault than before it."""
SLOWER_AFTERWARDS_S = 0.5
"""... and which difference does not count."""

RECOVERED_SHARE_MIN = 0.9
LOAD_OF_RECOVERING_MAX = 2.0
"""By what factor PostgreSQL's load may rise while clients that ask for recovery reconnect: they cost it nothing."""
TRANSACTIONS_PER_RETURN_MAX = 8
"""Transactions of a client that reconnects without recovery: its share in the read of rooms, conversations, feed,
what lies between the feed's page and its last position; and some more, since PostgreSQL's sessions report late."""

BURST = 100
"""Messages or posts that are in flight when the fault happens."""
STALLED_SHARE = 0.01
LONG_TEXT = "\N{WHITE CHESS ROOK}\N{BLACK CHESS ROOK}" * 2_400
LONG_POSTS_PER_S = 32.0
KERNEL_BYTES = 4_096
STALL_TIMEOUT_S = 90.0
RESIDENT_GROWTH_MAX_BYTES = 128 * 1024 * 1024

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]


@dataclass(frozen=True, slots=True)
class Stage:
    """A crowd on a cluster, and the times of the fault on the loop's clock."""

    cluster: Cluster
    crowd: Crowd
    database: Connection
    form: Form

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """The block is the fault. There is quiet load before and after it; at the end all must be well again."""
        loop, crowd, form = asyncio.get_running_loop(), self.crowd, self.form
        async with crowd.load(messages_per_s=form.messages_per_s, posts_per_s=form.posts_per_s):
            began_at_s = loop.time()
            await asyncio.sleep(form.before_s)
            fault_at_s = loop.time()
            yield
            over_at_s = loop.time()
            await self.cluster.healthy()
            healthy_at_s = loop.time()
            await crowd.settled()
            settled_at_s = loop.time()
            await asyncio.sleep(form.after_s)
        before = crowd.answer_times_s(began_at_s, fault_at_s)
        after = crowd.answer_times_s(settled_at_s, loop.time())
        print(
            f"ready {healthy_at_s - over_at_s:.1f} s and everybody back {settled_at_s - over_at_s:.1f} s after the "
            f"fault; answers took {median(before) * 1000:.0f} ms before and {median(after) * 1000:.0f} ms after it"
        )
        assert median(after) < median(before) * SLOWER_AFTERWARDS_MAX + SLOWER_AFTERWARDS_S

    async def judge(self, *, at_most_once: bool = True) -> None:
        """Waits until every client has everything, by pushes and by reads after `resync`; then checks the histories.

        Servers may log warnings about a fault, but no errors.
        """
        histories = self.crowd.histories
        truth = await read_truth(self.database, [login.user_id for login in self.crowd.logins])
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time() + CONVERGED_TIMEOUT_S
        while any(check_converged(histories, truth)) and loop.time() < give_up_at_s:
            await asyncio.sleep(0.5 * self.form.pace)
        counts = Counter(type(event).__name__ for history in histories for event in history.events)
        print(f"histories: {dict(counts)}")
        complaints = check(histories, truth, at_most_once=at_most_once)
        assert await count_wrong_counters(self.database) == 0
        assert complaints == [], _told(complaints)
        said = self.cluster.read_logs()
        print(f"warnings: {_warnings(said)}")
        assert log_complaints(said, with_warnings=False) == []
        assert counts["Acked"] > 10 and counts["Heard"] > counts["Acked"]

    def losses(self) -> Counter[str]:
        """The reasons for lost connections, and how often each occurred."""
        return Counter(lost.why for history in self.crowd.histories for lost in history.of(Lost))

    def count(self, kind: type[Lost | Told | Connected | Read | Heard]) -> int:
        return sum(1 for history in self.crowd.histories for _ in history.of(kind))


@pytest.fixture
async def stage(
    cluster: Cluster, logins: list[Login], database: Connection, form: Form, request: pytest.FixtureRequest
) -> Stage:
    while len(cluster.nodes) < 2:  # the previous scenario has killed one
        await cluster.add_node()
    await cluster.healthy()
    return Stage(cluster, Crowd(logins, cluster.addresses, seed=7, pace=form.pace), database, form)


async def test_a_node_is_killed(stage: Stage) -> None:
    async with stage.crowd.present():
        on_victim = sum(client.url == stage.cluster.addresses()[0] for client in stage.crowd.clients)
        async with stage.under_load():
            await stage.cluster.kill_node()
            await _lost(stage, on_victim)
            await stage.cluster.add_node()
        await stage.judge()


async def test_a_worker_is_killed(stage: Stage) -> None:
    """The next worker does what this one had taken, and publishes what it had done and not published: perhaps twice."""
    async with stage.crowd.present():
        async with stage.under_load():
            stage.crowd.burst(posts=BURST)
            await stage.cluster.kill_worker()
            await asyncio.sleep(stage.form.away_s)
            await stage.cluster.add_worker()
        assert stage.losses() == {}, "a client need not notice"
        await stage.judge(at_most_once=False)


async def test_a_node_is_halted_and_goes_on(stage: Stage) -> None:
    async with stage.crowd.present():
        async with stage.under_load():
            await stage.cluster.halt_node(stage.form.halted_s)
        assert stage.count(Lost) > 0, "nobody noticed"
        await stage.judge()


async def test_valkey_is_restarted(stage: Stage) -> None:
    async with stage.crowd.present():
        async with stage.under_load():
            await stage.cluster.restart_valkey(stage.form.away_s)
        await _all_told(stage)
        await stage.judge(at_most_once=False)


async def test_subscribers_are_cut_off_from_valkey(stage: Stage) -> None:
    async with stage.crowd.present():
        async with stage.under_load():
            for _ in range(3):
                stage.crowd.burst(messages=BURST)
                assert await stage.cluster.cut_subscribers() >= len(stage.cluster.nodes)
                await asyncio.sleep(stage.form.away_s)
        await _all_told(stage)
        assert stage.losses() == {}, "a client need not notice"
        await stage.judge()


async def test_half_of_all_connections_drop_at_once(stage: Stage, database_url: str) -> None:
    """First the clients that ask for recovery, then the others."""
    async with stage.crowd.present(), watched_database(database_url) as load:
        recovering = [client for client in stage.crowd.clients if client.recovers]
        others = [client for client in stage.crowd.clients if not client.recovers]
        async with stage.under_load():
            usual = await load.pass_by(stage.form.usual_s)
            storms = [await _storm(stage, load, victims, usual) for victims in (recovering, others)]
        print(f"at most {load.peak_connections} connections at work")
        recovered = sum(client.last_connected.recovered for client in recovering)
        assert recovered >= RECOVERED_SHARE_MIN * len(recovering), f"{recovered} of {len(recovering)}"
        if stage.form.is_long:  # the cost of a few dozen clients is below the error of PostgreSQL's late reports
            assert storms[0].times_usual <= LOAD_OF_RECOVERING_MAX
            assert storms[1].extra_each <= TRANSACTIONS_PER_RETURN_MAX
        assert 0 < load.peak_connections <= (POOL_MAX + 1) * 3
        assert stage.count(Lost) == len(recovering) + len(others), f"others suffered: {stage.losses()}"
        await stage.judge()


async def test_some_never_read(stage: Stage) -> None:
    """They keep sending pongs without reading, while their friends post a lot.

    The last scenario, since with such long posts one page of a feed is already what a client may leave unread.
    """
    count = max(2, round(len(stage.crowd.clients) * STALLED_SHARE))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stage.crowd.present())
        resident_bytes = stage.cluster.resident_bytes()
        async with stage.under_load():
            stalled = [await _stalled(stage, stage.crowd.logins[place % GROUP], stack) for place in range(count)]
            posters = stage.crowd.clients[: GROUP * 2]
            posts = 0
            async with asyncio.timeout(STALL_TIMEOUT_S), asyncio.TaskGroup() as group:
                while not all(socket.lost for socket in stalled):
                    text = stage.crowd.text(LONG_TEXT)
                    group.create_task(random.Random(posts).choice(posters).send_post(text))
                    posts += 1
                    await asyncio.sleep(1 / LONG_POSTS_PER_S)
        grown_bytes = stage.cluster.resident_bytes() - resident_bytes
        print(f"{count} were dropped after {posts} long posts; the nodes grew by {grown_bytes / 2**20:.1f} MiB")
        assert posts * len(LONG_TEXT.encode()) > MAX_UNREAD_BYTES, "they were dropped for another reason"
        assert grown_bytes < RESIDENT_GROWTH_MAX_BYTES
        assert stage.losses() == {}, "others suffered"
        await stage.judge()


class Storm(NamedTuple):
    """The load of PostgreSQL in the seconds in which clients reconnected."""

    times_usual: float
    extra_each: float
    """Transactions for each reconnecting client, beyond the usual ones."""


async def _storm(stage: Stage, load: DatabaseLoad, victims: Sequence[GoodClient], usual: slice) -> Storm:
    """Drops the connections of all these clients at once; they reconnect by themselves."""
    lost, seconds = stage.count(Lost), len(load.transactions)
    for client in victims:
        client.drop()
    await _lost(stage, lost + len(victims))
    await stage.crowd.settled()
    await load.pass_by(1)
    usual_transactions, usual_cpu_s = mean(load.transactions[usual]), mean(load.cpu_s[usual])
    transactions, cpu_s = load.transactions[seconds:], load.cpu_s[seconds:]
    storm = Storm(
        mean(transactions) / usual_transactions,
        (sum(transactions) - usual_transactions * len(transactions)) / len(victims),
    )
    recovered = sum(client.last_connected.recovered for client in victims)
    print(
        f"{len(victims)} vanished and {recovered} got their sessions back. Transactions a second: usually "
        f"{usual_transactions:.0f}, at most {max(transactions)} ({max(transactions) / usual_transactions:.1f} times), "
        f"{storm.times_usual:.1f} times in all, {storm.extra_each:.1f} for each client; processor time: "
        f"{usual_cpu_s * 1000:.0f} ms a second, at most {max(cpu_s) * 1000:.0f} ({max(cpu_s) / usual_cpu_s:.1f} times)"
    )
    return storm


async def _lost(stage: Stage, count: int) -> None:
    """Waits until this many clients have noticed."""
    async with asyncio.timeout(30):
        while stage.count(Lost) < count:
            await asyncio.sleep(0.02)


async def _all_told(stage: Stage) -> None:
    """Waits until all clients got `resync`. Raises TimeoutError."""
    async with asyncio.timeout(30):
        while not all(any(history.of(Told)) for history in stage.crowd.histories):
            await asyncio.sleep(0.02)


async def _stalled(stage: Stage, login: Login, stack: AsyncExitStack) -> LightSocket:
    """Subscribes to everything and reads nothing."""
    stalled = await LightSocket.open(
        random.Random(login.user_id).choice(stage.cluster.addresses()),
        {namespace: {"token": login.token} for namespace in NAMESPACES},
        on_push=lambda namespace, name, data: None,
        on_lost=lambda why: None,
        receive_buffer_bytes=KERNEL_BYTES,
    )
    stack.callback(stalled.abort)
    await stalled.call("/feed", "feed:subscribe", {"limit": 1}, timeout_s=10.0)
    stalled.stall()
    return stalled


def _warnings(log: str) -> dict[str, int]:
    """Counts the warnings; a fault explains warnings, but no errors."""
    events = [orjson.loads(line) for line in log.splitlines() if line.startswith("{")]
    return dict(Counter(event["event"] for event in events if event["level"] == "warning"))


def _told(complaints: Sequence[Complaint]) -> str:
    """The first complaints of each kind."""
    counts = Counter(complaint.fault for complaint in complaints)
    lines = [complaint.what for fault in counts for complaint in [c for c in complaints if c.fault is fault][:5]]
    return f"{dict(counts)}:\n" + "\n".join(lines)
