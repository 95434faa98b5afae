"""The metrics of this process, which Prometheus reads at `/metrics`. One registry per process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.registry import Collector

from server.monitoring.command_tallies import CommandTallies


class Metrics:
    """`commands` counts answers and times of commands."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.commands = CommandTallies()
        self._registry.register(self.commands)
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

    def delivered(self, count: int) -> None:
        self._deliveries.inc(count)

    def reaction(self, consumer: str, result: str, count: int) -> None:
        """Counts Facts that a consumer has dealt with; `result` is "done", "failed" or "parked"."""
        self._reactions.labels(consumer, result).inc(count)

    def count(self, name: str, amount: int = 1) -> None:
        """Counts something that has no metric of its own, such as the feed lists that a post was written into."""
        self._counts.labels(name).inc(amount)

    def settable_gauge(self, name: str, description: str, *labels: str) -> Gauge:
        """A gauge that its owner sets."""
        return Gauge(name, description, labels, registry=self._registry)

    def add(self, collector: Collector) -> None:
        """Shows what somebody else counts."""
        self._registry.register(collector)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)
