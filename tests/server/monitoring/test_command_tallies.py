"""The counters of commands, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from server.monitoring.command_tallies import BUCKETS_S, CommandTallies


def samples(tallies: CommandTallies) -> dict[tuple[str, tuple[str, ...]], float]:
    registry = CollectorRegistry()
    registry.register(tallies)
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_answers_are_counted_by_command_and_result() -> None:
    tallies = CommandTallies()
    for result in ("ok", "ok", "not_found"):
        tallies.of("post:get").count(result, 0.001)
    tallies.of("post:like").count("ok", 0.001)
    found = samples(tallies)
    assert found["rookery_commands_total", ("post:get", "ok")] == 2
    assert found["rookery_commands_total", ("post:get", "not_found")] == 1
    assert found["rookery_commands_total", ("post:like", "ok")] == 1


def test_a_time_counts_in_every_bucket_that_it_fits_in() -> None:
    tallies = CommandTallies()
    for seconds in (BUCKETS_S[0], BUCKETS_S[0] * 1.01, BUCKETS_S[-1] + 1):
        tallies.of("post:get").count("ok", seconds)
    found = samples(tallies)
    counts = [found["rookery_command_seconds_bucket", ("post:get", str(bound))] for bound in BUCKETS_S]
    assert counts == [1] + [2] * (len(BUCKETS_S) - 1)
    assert found["rookery_command_seconds_bucket", ("post:get", "+Inf")] == 3
    assert found["rookery_command_seconds_count", ("post:get",)] == 3
    assert found["rookery_command_seconds_sum", ("post:get",)] == BUCKETS_S[0] * 2.01 + BUCKETS_S[-1] + 1


def test_what_was_never_called_is_not_shown() -> None:
    tallies = CommandTallies()
    tallies.of("post:get")
    assert samples(tallies) == {}
