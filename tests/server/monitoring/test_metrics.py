"""What Prometheus reads."""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from server.monitoring.command_tallies import BUCKETS_S
from server.monitoring.metrics import Metrics
from tests.kit.server import RunningServer

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    """Every value by name and labels; fails for a text that Prometheus would not take."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(server: RunningServer) -> Samples:
    async with server.http.get(f"{server.url}/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        return samples(await response.text())


def commands(found: Samples, command: str, result: str) -> float:
    return found.get(("rookery_commands_total", (("command", command), ("result", result))), 0.0)


async def test_commands_are_counted_by_name_and_result_on_both_transports(server: RunningServer) -> None:
    person = await server.person("metrics.counted")
    for _ in range(2):
        await person.do("/users", "user:me")
    await person.rest("GET", "/users/me")
    await server.rest("GET", "/users/me")
    await person.call("/users", "no:such")
    found = await scrape(server)
    assert commands(found, "user:me", "ok") == 3
    assert commands(found, "user:me", "unauthenticated") == 1
    assert commands(found, "auth:register", "ok") == 1
    assert commands(found, "unknown", "unknown_command") == 1
    assert not [key for key in found if "no:such" in str(key)], "clients could make labels without end"


async def test_the_time_of_each_command_is_measured(server: RunningServer) -> None:
    await server.person("metrics.timed")
    found = await scrape(server)
    label = ("command", "auth:register")
    assert found["rookery_command_seconds_count", (label,)] == 1
    assert found["rookery_command_seconds_sum", (label,)] > 0
    counts = [found["rookery_command_seconds_bucket", (label, ("le", str(le)))] for le in BUCKETS_S]
    assert counts == sorted(counts)


async def test_pushes_and_reactions_are_counted(server: RunningServer) -> None:
    author, reader = await server.people("metrics.author", "metrics.reader")
    await reader.rest("POST", f"/users/{author.id}/follow")
    await reader.do("/feed", "feed:subscribe")
    await author.do("/posts", "post:create", {"text": "hello"})
    await reader.expect_push("feed:new")
    assert (await scrape(server))["rookery_deliveries_total", ()] == 1
    done = ("rookery_reactions_total", (("consumer", "feed_fanout"), ("result", "done")))
    async with asyncio.timeout(20):
        while (await scrape(server)).get(done, 0) != 1:  # it is counted after its pushes were sent
            await asyncio.sleep(0.02)


def test_labels_may_hold_any_text() -> None:
    metrics = Metrics()
    metrics.count('a "name"\nof two\\lines', 3)
    assert samples(metrics.render().decode())["rookery_events_total", (("name", 'a "name"\nof two\\lines'),)] == 3


def test_a_gauge_shows_its_last_value() -> None:
    metrics = Metrics()
    lag = metrics.settable_gauge("rookery_lag", "How late.", "consumer")
    lag.labels("feed").set(3)
    lag.labels("feed").set(7)
    assert samples(metrics.render().decode())["rookery_lag", (("consumer", "feed"),)] == 7


def test_two_nodes_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.delivered(5)
    assert samples(other.render().decode())["rookery_deliveries_total", ()] == 0
