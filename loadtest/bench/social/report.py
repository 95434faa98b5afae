"""The figures of the social core as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from loadtest.bench.figures import Figures, Verdict
from loadtest.bench.report import draw_bars, header, outcome, rows
from loadtest.bench.social.plan import METRICS, PARTS


def table(figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """A part for each kind of figure that was measured; then every target with the value reached."""
    lines: list[str] = []
    for part in PARTS:
        if measured := rows(figures, part.columns, part.metrics):
            lines += [header(part.columns, part.title), *measured, ""]
    return "\n".join([*lines[:-1], *outcome(figures, METRICS, verdicts)])


def picture(figures: Figures) -> Figure:
    """A panel for each part that was measured."""
    measured = {metric for metric, _ in figures.samples}
    shown = [part for part in PARTS if any(metric.key in measured for metric in part.metrics)]
    drawn = Figure(figsize=(9, 2.6 * max(1, len(shown))), layout="constrained")
    for place, part in enumerate(shown, 1):
        axes = drawn.add_subplot(len(shown), 1, place)
        draw_bars(axes, part.title, figures, part.columns, part.metrics)
        axes.legend(fontsize=7)
    return drawn
