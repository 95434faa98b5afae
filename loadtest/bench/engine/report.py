"""The figures of socket engines as a table and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.figure import Figure

from loadtest.bench.engine.plan import Sizes, metrics
from loadtest.bench.engine.servers import ServerSpec
from loadtest.bench.figures import Figures, Verdict
from loadtest.bench.report import draw_bars, header, outcome, rows

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
    measured = metrics(sizes)
    return "\n".join([header(servers), *rows(figures, servers, measured), *outcome(figures, measured, verdicts)])


def picture(figures: Figures, servers: Sequence[ServerSpec], sizes: Sizes) -> Figure:
    """A panel for each kind of figure."""
    drawn = Figure(figsize=(16, 9), layout="constrained")
    by_key = {metric.key: metric for metric in metrics(sizes)}
    for axes, (title, keys) in zip(drawn.subplots(2, 3).flat, _PANELS.items(), strict=True):
        draw_bars(axes, title, figures, servers, [by_key[key] for key in keys])
    drawn.axes[0].legend(fontsize=8)
    return drawn
