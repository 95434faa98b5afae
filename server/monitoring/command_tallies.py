"""How often each command was answered with what, and how long it took, as Prometheus reads it.

Counted in plain integers, which become Prometheus metrics at each scrape: Prometheus' own counters take locks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

BUCKETS_S: Final = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class CommandTally:
    """The answers of one command."""

    __slots__ = ("_buckets", "_results", "_seconds")

    def __init__(self) -> None:
        self._results: dict[str, int] = {}
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._seconds = 0.0

    def count(self, result: str, seconds: float) -> None:
        """Counts an answer; `result` is "ok" or the error's code."""
        self._results[result] = self._results.get(result, 0) + 1
        self._buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._seconds += seconds

    def add_to(self, name: str, answers: CounterMetricFamily, times: HistogramMetricFamily) -> None:
        for result, count in self._results.items():
            answers.add_metric([name, result], count)
        if self._results:
            bounds = [*map(floatToGoString, BUCKETS_S), "+Inf"]
            times.add_metric([name], list(zip(bounds, accumulate(self._buckets), strict=True)), self._seconds)


class CommandTallies(Collector):
    """The tallies of this process, by command name."""

    def __init__(self) -> None:
        self._tallies: dict[str, CommandTally] = {}

    def of(self, name: str) -> CommandTally:
        """The tally of a command; the same object at every call."""
        return self._tallies.setdefault(name, CommandTally())

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily("rookery_commands_total", "Commands answered.", labels=["command", "result"])
        times = HistogramMetricFamily(
            "rookery_command_seconds", "Time from a command's arrival to its answer.", labels=["command"]
        )
        for name, tally in self._tallies.items():
            tally.add_to(name, answers, times)
        yield answers
        yield times
