"""The figures of a run, as a table and as a file."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # importing locust replaces the sockets of the whole process, which a mere reader of figures must not
    from locust.stats import RequestStats, StatsEntry

TARGETS_P99_MS: Final[Mapping[str, float]] = {
    "feed:page": 100,
    "post:create": 50,
    "post:like": 30,
    "user:follow": 30,
}
"""The targets for the P99 of answers."""

UNMEASURED: Final = frozenset({"poll"})
"""Requests whose duration the client chooses."""


@dataclass(frozen=True)
class Line:
    """One kind of answer or delivery. `failures` counts errors and missing answers."""

    kind: str
    name: str
    count: int
    failures: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    target_p99_ms: float | None


def lines(stats: RequestStats) -> list[Line]:
    """One line for each kind, answers first."""
    entries = [entry for entry in stats.entries.values() if entry.name not in UNMEASURED or entry.num_failures]
    return [
        _line(entry) for entry in sorted(entries, key=lambda entry: (entry.method == "PUSH", entry.method, entry.name))
    ]


def _line(entry: StatsEntry) -> Line:
    p50, p95, p99 = (float(entry.get_response_time_percentile(part)) for part in (0.5, 0.95, 0.99))
    target = TARGETS_P99_MS.get(entry.name) if entry.method != "PUSH" else None
    return Line(entry.method, entry.name, entry.num_requests, entry.num_failures, p50, p95, p99, target)


def table(measured: Sequence[Line]) -> str:
    """The lines as a table."""
    head = f"{'':8}{'':22}{'count':>8}{'failed':>8}{'P50 ms':>9}{'P95 ms':>9}{'P99 ms':>9}{'target':>9}"
    rows = [
        f"{line.kind:8}{line.name:22}{line.count:>8,}{line.failures:>8,}{line.p50_ms:>9.0f}{line.p95_ms:>9.0f}"
        f"{line.p99_ms:>9.0f}{f'{line.target_p99_ms:.0f}' if line.target_p99_ms else '':>9}"
        for line in measured
    ]
    return "\n".join([head, *rows])


def store(
    path: Path, measured: Sequence[Line], *, profile: str, users: int, commands_per_s: float, duration_s: int
) -> None:
    """Writes the figures, with the conditions in which they were measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "profile": profile,
        "users": users,
        "commands_per_s": commands_per_s,
        "duration_s": duration_s,
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "lines": [asdict(line) for line in measured],
    }
    path.write_text(json.dumps(content, indent=2) + "\n")
