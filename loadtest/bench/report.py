"""A run's figures as a table, as JSON, and as a picture."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from loadtest.bench.figures import Figures, Metric, Sizes, Verdict, by_metric, metrics
from loadtest.bench.servers import ServerSpec

_PANELS: Final = {
    "CPU per delivery (us)": ("deliver_small_1", "deliver_small_32", "deliver_large_1", "deliver_large_32"),
    "CPU per event with ack (us)": ("ack",),
    "CPU per connection (us)": ("accept_1", "accept_6"),
    "memory per idle connection (KiB)": ("idle",),
    "all closing at once (ms)": ("close_cpu", "close_block"),
    "delivery latency (ms)": ("p50_small", "p99_small", "p50_large", "p99_large"),
}


def table(figures: Figures, servers: Sequence[ServerSpec], sizes: Sizes, verdicts: Sequence[Verdict]) -> str:
    """Medians of all rounds, then every target with the value reached."""
    rows = metrics(sizes)
    medians = by_metric(figures, [spec.name for spec in servers])
    titles = {row.key: row.title for row in rows}
    lines = [f"{'':46}" + "".join(f"{spec.title:>13}" for spec in servers)]
    for row in rows:
        if row.key in medians:
            cells = (_cell(medians[row.key].get(spec.name)) for spec in servers)
            lines.append(f"{f'{row.title}, {row.unit}':46}" + "".join(cells))
    lines += ["", f"{'target':60}{'at most':>9}{'reached':>9}"]
    lines += [_target_line(verdict, titles) for verdict in verdicts]
    lines += [f"{name} {titles.get(metric, metric)}: {why}" for (metric, name), why in figures.failures.items()]
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    if value is None:
        return f"{'-':>13}"
    return f"{value:>13.2f}" if value < 10 else f"{value:>13,.1f}" if value < 100 else f"{value:>13,.0f}"


def _target_line(verdict: Verdict, titles: dict[str, str]) -> str:
    target = verdict.target
    what = f"{titles[target.metric]}: {target.name}" + (f" / {target.reference}" if target.reference else " (ms)")
    outcome = "" if verdict.met else "  missed"
    return f"{what:60}{target.at_most:>9g}{verdict.reached:>9.2f}{outcome}"


def store(
    folder: Path,
    name: str,
    figures: Figures,
    servers: Sequence[ServerSpec],
    sizes: Sizes,
    verdicts: Sequence[Verdict],
) -> tuple[Path, Path]:
    """Writes the figures and their picture; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    document, picture = folder / f"{name}.json", folder / f"{name}.png"
    document.write_text(json.dumps(_document(figures, sizes, verdicts), indent=2) + "\n")
    _draw(figures, servers, metrics(sizes)).savefig(picture, dpi=110)
    return document, picture


def _document(figures: Figures, sizes: Sizes, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sizes": asdict(sizes),
        "figures": [
            {"metric": metric, "server": name, "median": figures.median(metric, name), "samples": values}
            for (metric, name), values in figures.samples.items()
        ],
        "targets": [{**asdict(verdict.target), "reached": verdict.reached, "met": verdict.met} for verdict in verdicts],
        "failures": [
            {"metric": metric, "server": name, "why": why} for (metric, name), why in figures.failures.items()
        ],
    }


def _draw(figures: Figures, servers: Sequence[ServerSpec], rows: Sequence[Metric]) -> Figure:
    picture = Figure(figsize=(16, 9), layout="constrained")
    titles = {row.key: row.title for row in rows}
    for axes, (title, keys) in zip(picture.subplots(2, 3).flat, _PANELS.items(), strict=True):
        shown = [key for key in keys if key in by_metric(figures, [spec.name for spec in servers])]
        height = 0.8 / len(servers)
        for place, spec in enumerate(servers):
            values = [figures.median(key, spec.name) or 0.0 for key in shown]
            positions = [number + place * height for number in range(len(shown))]
            bars = axes.barh(positions, values, height, label=spec.title)
            axes.bar_label(bars, labels=[f"{value:.3g}" if value else "" for value in values], fontsize=7, padding=2)
        axes.set_yticks(
            [number + 0.4 - height / 2 for number in range(len(shown))], [titles[key] for key in shown], fontsize=7
        )
        axes.invert_yaxis()
        axes.set_title(title)
    picture.axes[0].legend(fontsize=8)
    return picture
