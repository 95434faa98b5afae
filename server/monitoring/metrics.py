"""What this process counts, as Prometheus reads it at `/metrics`. One registry per process, made at start."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from server.monitoring.command_tallies import CommandTallies


class Metrics:
    """The process's counters; `commands` are those of its commands."""

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

    def reaction(self, consumer: str, result: str) -> None:
        """Counts a Fact that a consumer dealt with; `result` is "done", "repeat", "failed" or "parked"."""
        self._reactions.labels(consumer, result).inc()

    def count(self, name: str, amount: int = 1) -> None:
        """Counts something that has no metric of its own, such as the feed lists that one post was written into."""
        self._counts.labels(name).inc(amount)

    def settable_gauge(self, name: str, description: str, label: str) -> Gauge:
        """A gauge with one label, for values that a loop measures from time to time."""
        return Gauge(name, description, [label], registry=self._registry)

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
