"""A run's figures as a table, as JSON, and as bars of a picture."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtest.bench.figures import Figures, Metric, Verdict, by_metric
from loadtest.bench.turns import Named

_TITLE_CHARS: Final = 46
_TARGET_CHARS: Final = 60


def header(specs: Sequence[Named], title: str = "") -> str:
    """The first line of a table with a column for each of those compared."""
    return f"{title:{_TITLE_CHARS}}" + "".join(f"{spec.title:>13}" for spec in specs)


def rows(figures: Figures, specs: Sequence[Named], metrics: Sequence[Metric], *, units: bool = True) -> list[str]:
    """The medians of all rounds, a line for each metric that was measured."""
    medians = by_metric(figures, [spec.name for spec in specs])
    return [
        f"{f'{metric.title}, {metric.unit}' if units else metric.title:{_TITLE_CHARS}}"
        + "".join(_cell(medians[metric.key].get(spec.name)) for spec in specs)
        for metric in metrics
        if metric.key in medians
    ]


def outcome(figures: Figures, metrics: Sequence[Metric], verdicts: Sequence[Verdict]) -> list[str]:
    """Every target with the value reached, then what is absent, then every failure."""
    titles = {metric.key: metric for metric in metrics}
    lines = ["", f"{'target':{_TARGET_CHARS}}{'':>9}{'bound':>7}{'reached':>9}"]
    lines += [_target_line(verdict, titles[verdict.target.metric]) for verdict in verdicts]
    lines += [f"{name}: {why}" for name, why in figures.absent.items()]
    for (key, name), why in figures.failures.items():
        lines.append(f"{name} {titles[key].title if key in titles else key}: {why}")
    return lines


def _cell(value: float | None) -> str:
    if value is None:
        return f"{'-':>13}"
    return f"{value:>13.2f}" if value < 10 else f"{value:>13,.1f}" if value < 100 else f"{value:>13,.0f}"


def _target_line(verdict: Verdict, metric: Metric) -> str:
    target = verdict.target
    what = f"{metric.title}: {target.name} " + (f"/ {target.reference}" if target.reference else f"({metric.unit})")
    met = "met" if verdict.met else "missed"
    return f"{what:{_TARGET_CHARS}}{target.side:>9}{target.bound:>7g}{verdict.reached:>9.2f}  {met}"


def document(figures: Figures, verdicts: Sequence[Verdict], conditions: Mapping[str, object]) -> dict[str, Any]:
    """All that is kept of a run, ready to be written as JSON."""
    return {
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **conditions,
        "figures": [
            {"metric": metric, "server": name, "median": figures.median(metric, name), "samples": values}
            for (metric, name), values in figures.samples.items()
        ],
        "targets": [
            {
                "metric": verdict.target.metric,
                "server": verdict.target.name,
                "reference": verdict.target.reference,
                verdict.target.side.replace(" ", "_"): verdict.target.bound,
                "reached": verdict.reached,
                "met": verdict.met,
            }
            for verdict in verdicts
        ],
        "absent": figures.absent,
        "failures": [
            {"metric": metric, "server": name, "why": why} for (metric, name), why in figures.failures.items()
        ],
    }


def draw_bars(axes: Axes, title: str, figures: Figures, specs: Sequence[Named], metrics: Sequence[Metric]) -> None:
    """A group of bars for each metric that was measured, with a bar for each of those compared."""
    measured = by_metric(figures, [spec.name for spec in specs])
    shown = [metric for metric in metrics if metric.key in measured]
    height = 0.8 / len(specs)
    for place, spec in enumerate(specs):
        values = [figures.median(metric.key, spec.name) or 0.0 for metric in shown]
        bars = axes.barh([number + place * height for number in range(len(shown))], values, height, label=spec.title)
        axes.bar_label(bars, labels=[_label(value) for value in values], fontsize=7, padding=2)
    middles = [number + 0.4 - height / 2 for number in range(len(shown))]
    axes.set_yticks(middles, [metric.title for metric in shown], fontsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(title)


def _label(value: float) -> str:
    return "" if not value else f"{value:.3g}" if value < 1_000 else f"{value:,.0f}"


def store(folder: Path, name: str, content: Mapping[str, Any], picture: Figure) -> tuple[Path, Path]:
    """Writes the document and the picture; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text, image = folder / f"{name}.json", folder / f"{name}.png"
    text.write_text(json.dumps(content, indent=2) + "\n")
    picture.savefig(image, dpi=110)
    return text, image
