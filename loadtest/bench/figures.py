"""The figures of a run: how those of several rounds are combined, and how they compare to targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """A row of the table."""

    key: str
    title: str
    unit: str


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for a figure: `bound` times that of `reference`; without a reference: `bound` itself."""

    metric: str
    name: str
    bound: float
    reference: str | None = None
    side: Literal["at most", "at least"] = "at most"


@dataclass
class Figures:
    """All samples by metric and server, in the order of the rounds, and why some are missing.

    `absent`: what cannot be compared here, since it is not installed; that is no failure.
    """

    samples: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

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
        if self.target.side == "at most":
            return self.reached <= self.target.bound
        return self.reached >= self.target.bound


def verdicts(figures: Figures, targets: Sequence[Target]) -> list[Verdict]:
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
