"""What this process counts, as Prometheus reads it at `/metrics`. One registry per process, made at start."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

COMMAND_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The process's counters. Label children are kept, since looking one up costs more than counting."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._commands = Counter(
            "rookery_commands_total", "Commands answered.", ["command", "result"], registry=self._registry
        )
        self._command_seconds = Histogram(
            "rookery_command_seconds",
            "Time from a command's arrival to its answer.",
            ["command"],
            buckets=COMMAND_BUCKETS_S,
            registry=self._registry,
        )
        self._deliveries = Counter("rookery_deliveries_total", "Pushes handed to clients.", registry=self._registry)
        self._reactions = Counter(
            "rookery_reactions_total",
            "Facts that consumers dealt with.",
            ["consumer", "result"],
            registry=self._registry,
        )
        self._counts = Counter(
            "rookery_events_total", "Things that happened, by name.", ["name"], registry=self._registry
        )
        self._command_children: dict[tuple[str, str], Counter] = {}
        self._second_children: dict[str, Histogram] = {}

    def command(self, name: str, result: str, seconds: float) -> None:
        """Counts an answered command; `result` is "ok" or the error's code."""
        counter = self._command_children.get((name, result))
        if counter is None:
            counter = self._command_children[name, result] = self._commands.labels(name, result)
        counter.inc()
        histogram = self._second_children.get(name)
        if histogram is None:
            histogram = self._second_children[name] = self._command_seconds.labels(name)
        histogram.observe(seconds)

    def delivered(self, count: int) -> None:
        self._deliveries.inc(count)

    def reaction(self, consumer: str, result: str) -> None:
        """Counts a Fact that a consumer dealt with; `result` is "done", "repeat", "failed" or "parked"."""
        self._reactions.labels(consumer, result).inc()

    def count(self, name: str, amount: int = 1) -> None:
        """Counts something that has no metric of its own, such as the feed lists that one post was written into."""
        self._counts.labels(name).inc(amount)

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Shows a value that is read whenever somebody asks for it."""
        Gauge(name, description, registry=self._registry).set_function(read)

    def settable_gauge(self, name: str, description: str, label: str) -> Gauge:
        """A gauge with one label, for values that a loop measures from time to time."""
        return Gauge(name, description, [label], registry=self._registry)

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
