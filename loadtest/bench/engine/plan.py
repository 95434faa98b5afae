"""What is measured of socket engines, how much of it, and the targets. Lower is better everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from loadtest.bench.figures import Metric, Target


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
