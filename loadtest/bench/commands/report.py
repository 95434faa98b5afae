"""The figures of commands as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from loadtest.bench.commands.participants import PGBENCH, PGBENCH_CLIENTS_MAX, Spec
from loadtest.bench.commands.plan import CommandsSizes, metrics, parts
from loadtest.bench.figures import Figures, Verdict
from loadtest.bench.report import draw_bars, header, outcome, rows


def table(figures: Figures, specs: Sequence[Spec], sizes: CommandsSizes, verdicts: Sequence[Verdict]) -> str:
    """Medians of all rounds, a part for each kind of figure; then every target with the value reached."""
    lines: list[str] = []
    for title, part in parts(sizes).items():
        if measured := rows(figures, specs, part, units=False):
            lines += [header(specs, title), *measured, ""]
    if PGBENCH in specs and max(sizes.sockets) > PGBENCH_CLIENTS_MAX:
        lines += [f"pgbench has {PGBENCH_CLIENTS_MAX} clients at most: each is a connection to PostgreSQL.", ""]
    return "\n".join([*lines[:-1], *outcome(figures, metrics(sizes), verdicts)])


def picture(figures: Figures, specs: Sequence[Spec], sizes: CommandsSizes) -> Figure:
    """A panel for each kind of figure that was measured."""
    measured = {metric for metric, _ in figures.samples}
    shown = {title: part for title, part in parts(sizes).items() if any(metric.key in measured for metric in part)}
    drawn = Figure(figsize=(5 * max(1, len(shown)), 12), layout="constrained")
    for place, (title, part) in enumerate(shown.items(), 1):
        draw_bars(drawn.add_subplot(1, len(shown), place), title, figures, specs, part)
    if shown:
        drawn.axes[0].legend(fontsize=8)
    return drawn
