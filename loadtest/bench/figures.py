"""What is measured, how figures of several rounds are combined, and the targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. `for_s` is the duration of one measurement; `rounds` are without the warm-up."""

    small: int
    large: int
    entering: int
    rounds: int
    large_rounds: int
    for_s: float
    budget_s: float


FULL: Final = Sizes(small=1_000, large=8_000, entering=500, rounds=5, large_rounds=3, for_s=0.6, budget_s=330)
QUICK: Final = Sizes(small=300, large=1_000, entering=100, rounds=2, large_rounds=2, for_s=0.15, budget_s=50)


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table. Lower is better everywhere."""

    key: str
    title: str
    unit: str


def metrics(sizes: Sizes) -> tuple[Metric, ...]:
    small, large = f"{sizes.small:,}", f"{sizes.large:,}"
    return (
        Metric("deliver_small_1", f"delivery, {small} sockets", "us"),
        Metric("deliver_small_32", f"delivery, {small} sockets, 32 publishers", "us"),
        Metric("deliver_large_1", f"delivery, {large} sockets", "us"),
        Metric("deliver_large_32", f"delivery, {large} sockets, 32 publishers", "us"),
        Metric("ack", "event with ack", "us"),
        Metric("accept_1", "connection, one namespace", "us"),
        Metric("accept_6", "connection, six namespaces", "us"),
        Metric("idle", f"idle connection of {large}", "KiB"),
        Metric("close_cpu", f"{large} closing at once: CPU", "ms"),
        Metric("close_block", f"{large} closing at once: longest block", "ms"),
        Metric("p50_small", f"delivery latency P50, {small} sockets", "ms"),
        Metric("p99_small", f"delivery latency P99, {small} sockets", "ms"),
        Metric("p50_large", f"delivery latency P50, {large} sockets", "ms"),
        Metric("p99_large", f"delivery latency P99, {large} sockets", "ms"),
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for a figure: `at_most` times that of `reference`; without a reference: `at_most` itself."""

    metric: str
    name: str
    at_most: float
    reference: str | None = None


TARGETS: Final = (
    Target("deliver_small_1", "engine", 1.15, "bare"),
    Target("deliver_small_1", "engine", 0.65, "node"),
    Target("deliver_large_1", "engine", 1.15, "bare"),
    Target("deliver_large_1", "engine", 0.65, "node"),
    Target("deliver_small_32", "engine", 0.15, "node"),
    Target("deliver_large_32", "engine", 0.15, "node"),
    Target("ack", "engine", 0.7, "node"),
    Target("ack", "dispatch", 1.2, "node"),
    Target("accept_1", "engine", 0.5, "node"),
    Target("accept_6", "engine", 0.5, "node"),
    Target("idle", "recovery", 0.35, "node"),
    Target("close_cpu", "engine", 1.5, "node"),
    Target("close_block", "engine", 100),
)


@dataclass
class Figures:
    """All samples by metric and server, in the order of the rounds, and why some are missing."""

    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, metric: str, name: str, value: float) -> None:
        self.samples.setdefault((metric, name), []).append(value)

    def fail(self, metric: str, name: str, why: str) -> None:
        self.failures[metric, name] = why

    def median(self, metric: str, name: str) -> float | None:
        values = self.samples.get((metric, name))
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and the value reached: a ratio, or the figure itself where there is no reference."""

    target: Target
    reached: float

    @property
    def met(self) -> bool:
        return self.reached <= self.target.at_most


def verdicts(figures: Figures, targets: Sequence[Target] = TARGETS) -> list[Verdict]:
    """One verdict for each target that has figures."""
    found = []
    for target in targets:
        ours = figures.samples.get((target.metric, target.name), [])
        if target.reference is None:
            reached = statistics.median(ours) if ours else None
        else:
            theirs = figures.samples.get((target.metric, target.reference), [])
            reached = ratio(ours, theirs)
        if reached is not None:
            found.append(Verdict(target, reached))
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The median of the ratios within each round, so that a machine that slows down in between changes nothing.

    None without rounds to compare.
    """
    pairs = [(mine, other) for mine, other in zip(ours, theirs, strict=False) if other > 0]
    return statistics.median(mine / other for mine, other in pairs) if pairs else None


def by_metric(figures: Figures, names: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
    """Medians by metric and server, without missing ones."""
    return {
        key: {name: median for name in names if (median := figures.median(key, name)) is not None}
        for key in dict.fromkeys(metric for metric, _ in figures.samples)
    }
