"""What is measured of the social core, and in which order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from loadtest.bench.figures import Figures
from loadtest.bench.orders import percentiles_ms
from loadtest.bench.processes import BenchFailed, ChildProcess, python_module, settle
from loadtest.bench.services import backing_services, seed_network
from loadtest.bench.social.network import (
    AUTHOR,
    FIRST_READER,
    broadcaster_from,
    first_without_celebrities,
    social_database,
)
from loadtest.bench.social.plan import ALONE, HOT, MEASURED, P50, P99, SPREAD, SocialSizes
from loadtest.bench.social.servers import ProductProcesses, running_product
from loadtest.bench.social.valkey import ValkeyConnection, valkey_connection
from loadtest.bench.turns import Tell
from loadtest.people import People

_CONNECTED_BY_ORDER: Final = 500
"""An order ends within half a minute, also on a slow machine."""


class SocialBench:
    """One run. `groups` selects from GROUPS."""

    def __init__(self, sizes: SocialSizes, groups: Sequence[str], *, tell: Tell) -> None:
        self._sizes = sizes
        self._groups = tuple(groups)
        self._tell = tell
        self.figures = Figures()
        self.follows = 0

    def run(self) -> Figures:
        """Raises BenchFailed where nothing at all can be measured."""
        with tempfile.TemporaryDirectory(prefix="rookery-bench-") as name:
            folder = Path(name)
            with open(folder / "services.log", "wb") as log, backing_services(folder / "data", log) as environment:
                environment["FEED_FANOUT_MAX_FOLLOWERS"] = str(broadcaster_from(self._sizes))
                asyncio.run(self._prepare(environment, folder))
                with (
                    running_product(environment, folder / "product.log") as product,
                    ChildProcess(_clients(product, folder)) as clients,
                    valkey_connection(environment["REDIS_URL"]) as valkey,
                ):
                    measured = _Measurements(
                        self._sizes, self.figures, product, clients, valkey, environment["DATABASE_URL"]
                    )
                    product.ready()
                    self._measure(measured)
        return self.figures

    async def _prepare(self, environment: Mapping[str, str], folder: Path) -> None:
        sizes, tokens = self._sizes, folder / "tokens"
        self._tell(f"writing a network of {sizes.people:,} people and {sizes.posts:,} posts")
        seed_network(environment, people=sizes.people, posts=sizes.posts, tokens=tokens)
        people = People.from_file(tokens)
        async with social_database(environment["DATABASE_URL"]) as database:
            self.follows = await database.gather_followers(people, sizes)
            (await database.choose_world(people, sizes)).write(folder / "world.json")
        self._tell(f"it has {self.follows:,} follows")

    def _measure(self, measurements: _Measurements) -> None:
        steps: Mapping[str, tuple[str, Callable[[], None]]] = {
            "pages": ("feed pages", measurements.pages),
            "fanout": ("fan-out", measurements.fan_out),
            "mixed": ("mixed commands", measurements.mixed),
            "likes": ("likes of one post", measurements.likes),
        }
        for group in self._groups:
            title, measure = steps[group]
            self._tell(title)
            try:
                measure()
                measurements.product.check()
            except BenchFailed as error:
                self._tell(f"{title} failed: {error}")
                self.figures.fail(group, MEASURED.name, str(error))


class _Measurements:
    """The groups of figures, on a running product. The cold pages of `pages` need people who have not read before."""

    def __init__(
        self,
        sizes: SocialSizes,
        figures: Figures,
        product: ProductProcesses,
        clients: ChildProcess,
        valkey: ValkeyConnection,
        database_url: str,
    ) -> None:
        self.product = product
        self._sizes = sizes
        self._figures = figures
        self._clients = clients
        self._valkey = valkey
        self._database_url = database_url

    def pages(self) -> None:
        sizes = self._sizes
        plain = {"first": first_without_celebrities(sizes), "count": sizes.viewers}
        merged = {"first": FIRST_READER, "count": sizes.viewers}
        for some in (plain, merged):
            self._in_parts("connect", some["first"], some["count"])
        self._settle()
        self._add_percentiles("page_cold", self._clients.order("read_first", **plain))
        self._clients.order("read_first", **merged)
        self._settle()
        for key, some in (("page_cached", plain), ("page_merged", merged)):
            self._add_percentiles(key, self._clients.order("read", each=sizes.pages_each, **some))
        ranked = self._clients.order("read", each=sizes.pages_each, view="ranked", **plain)
        if "refused" in ranked:
            self._figures.absent["ranked pages"] = "not measured, since the server refuses `view: ranked`"
        else:
            self._add_percentiles("page_ranked", ranked)

    def fan_out(self) -> None:
        """All lists of the followers are there, as though all had read within the week."""
        sizes = self._sizes
        self._in_parts("warm", FIRST_READER, sizes.followers)
        self._in_parts("connect", FIRST_READER, sizes.listeners)
        self._clients.order("connect", first=AUTHOR, count=1)
        self._clients.order("listen", first=FIRST_READER, count=sizes.listeners)
        self._clients.order("fan_out")  # the first one also waits until the worker has started
        self._settle()
        worker_began_s, valkey_began_s = self.product.worker.cpu_s(), self._valkey.cpu_s()
        heard_s = [self._clients.order("fan_out")["heard_s"] for _ in range(sizes.fanouts)]
        # At once: listeners get a post after it is in all lists, and an idle process uses time too.
        pushes = sizes.fanouts * sizes.followers
        self._add("push_worker", (self.product.worker.cpu_s() - worker_began_s) / pushes * 1e6)
        self._add("push_valkey", (self._valkey.cpu_s() - valkey_began_s) / pushes * 1e6)
        self._add_percentiles("fanout_listener", percentiles_ms([moment for one in heard_s for moment in one]))
        self._add_percentiles("fanout_last", percentiles_ms([max(one) for one in heard_s]))
        entry_bytes = self._valkey.entry_bytes()
        if entry_bytes is None:
            raise BenchFailed("Valkey has no lists of feeds")
        self._add("entry", entry_bytes)

    def mixed(self) -> None:
        sizes = self._sizes
        self._in_parts("connect", FIRST_READER, sizes.sockets)
        self._clients.order("mixed", rate=sizes.mixed_rate, for_s=sizes.for_s / 4)  # warms up
        self._settle()
        found = self._clients.order("mixed", rate=sizes.mixed_rate, for_s=sizes.for_s)
        for act, percentiles in found["acts"].items():
            self._add_percentiles(f"mixed_{act}", percentiles)
        self._add_percentiles("mixed_lag", found["lag"])
        self._add("mixed_offered", found["offered"])
        self._add("mixed_accepted", found["accepted"])
        self._add("mixed_refused", found["refused"] * 100)

    def likes(self) -> None:
        """In each round nothing, then the same likes of many posts, then of one, are offered beside the others."""
        sizes = self._sizes
        self._in_parts("connect", FIRST_READER, sizes.sockets)
        self._clients.order("connect", first=AUTHOR, count=1)
        hot = self._clients.order("post")["post_id"]
        for number in range(sizes.rounds + 1):
            for column, rate in ((ALONE, 0), (SPREAD, sizes.likes_rate), (HOT, sizes.likes_rate)):
                self._settle()
                found = self._clients.order(
                    "like", hot=hot, others=sizes.others, rate=rate, for_s=sizes.likes_for_s, spread=column is SPREAD
                )
                if not number:
                    continue  # it warms up
                self._figures.add("likes_others", column.name, found["others"])
                if rate:
                    self._figures.add("likes_offered", column.name, found["offered"])
                    self._figures.add("likes_accepted", column.name, found["accepted"])
                    self._figures.add("likes_lag", column.name, found["lag"]["p99_ms"])
        expected = self._clients.order("liking", hot=hot)["likes"]
        counts = asyncio.run(_likes_in_sql(self._database_url, hot))
        self._add("likes_expected", expected)
        self._add("likes_uncounted", max(abs(expected - count) for count in counts))

    def _in_parts(self, what: str, first: int, count: int) -> None:
        for start in range(first, first + count, _CONNECTED_BY_ORDER):
            self._clients.order(what, first=start, count=min(_CONNECTED_BY_ORDER, first + count - start))

    def _settle(self) -> None:
        """What was left behind must not burden the next measurement."""
        processes = (*self.product.servers, self.product.worker)
        settle(lambda: sum(process.cpu_s() for process in processes), within_s=self._sizes.settle_s)

    def _add(self, key: str, value: float) -> None:
        self._figures.add(key, MEASURED.name, value)

    def _add_percentiles(self, key: str, percentiles: Mapping[str, Any]) -> None:
        for column in (P50, P99):
            self._figures.add(key, column.name, percentiles[f"{column.name}_ms"])


async def _likes_in_sql(database_url: str, post_id: str) -> tuple[int, int]:
    async with social_database(database_url) as database:
        return await database.count_likes(post_id)


def _clients(product: ProductProcesses, folder: Path) -> tuple[str, ...]:
    files = ("--tokens", str(folder / "tokens"), "--world", str(folder / "world.json"))
    return python_module("loadtest.bench.social.clients", *files, "--ports", *map(str, product.ports))
