"""The figures of a run, as a table and as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.report import TARGETS_P99_MS, Line, lines, store, table

LINES = [
    Line("SOCKET", "post:create", 1_200, 3, 10.0, 20.0, 30.0, 50.0),
    Line("PUSH", "feed:new", 9_000, 0, 15.4, 25.0, 45.0, None),
]


@pytest.fixture
def stats(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # importing locust would replace the sockets of all other tests
    from locust.stats import RequestStats

    return RequestStats()


def test_every_kind_has_a_line_answers_first(stats: Any) -> None:
    for took_ms in range(1, 101):
        stats.log_request("SOCKET", "post:create", took_ms, 0)
        stats.log_request("PUSH", "feed:new", 2 * took_ms, 0)
        stats.log_request("GET", "feed:page", 3, 0)
    stats.log_error("SOCKET", "post:create", "refused")
    page, created, pushed = lines(stats)
    assert (page.kind, page.name, page.count, page.failures) == ("GET", "feed:page", 100, 0)
    assert (created.kind, created.name, created.count, created.failures) == ("SOCKET", "post:create", 100, 1)
    assert (pushed.kind, pushed.name, pushed.count) == ("PUSH", "feed:new", 100)
    assert (created.p50_ms, created.p95_ms, created.p99_ms) == pytest.approx((50, 95, 99), abs=1)
    assert created.target_p99_ms == TARGETS_P99_MS["post:create"]
    assert pushed.target_p99_ms is None


def test_a_poll_counts_only_where_it_failed(stats: Any) -> None:
    stats.log_request("GET", "poll", 50_000, 0)
    assert lines(stats) == []
    stats.log_error("GET", "poll", "refused")
    assert [(line.name, line.failures) for line in lines(stats)] == [("poll", 1)]


def test_the_table_shows_every_figure_in_its_column() -> None:
    head, created, pushed = table(LINES).splitlines()
    assert head.split() == ["count", "failed", "P50", "ms", "P95", "ms", "P99", "ms", "target"]
    assert created.split() == ["SOCKET", "post:create", "1,200", "3", "10", "20", "30", "50"]
    assert pushed.split() == ["PUSH", "feed:new", "9,000", "0", "15", "25", "45"]
    assert len(head) == len(created) == len(pushed)


def test_what_is_kept_says_what_it_was_measured_on(tmp_path: Path) -> None:
    path = tmp_path / "new" / "basic.json"
    for users in (10, 20):
        store(path, LINES, profile="basic", users=users, commands_per_s=100.0, duration_s=60)
    kept = json.loads(path.read_text())
    assert (kept["profile"], kept["users"], kept["commands_per_s"], kept["duration_s"]) == ("basic", 20, 100.0, 60)
    assert kept["cores"] >= 1 and kept["python"] and kept["day"]
    assert [Line(**line) for line in kept["lines"]] == LINES
