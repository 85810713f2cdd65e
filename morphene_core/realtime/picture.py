"""A picture of a real-time proof: how long each block took, beside what it may take."""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from morphene_core.realtime.report import RealtimeReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#2f6f9f", "#c8553d", "#5b8c5a", "#8a6fae")
_INK, _QUIET = "#24292f", "#8c959f"
_BINS = 80


def realtime_png(report: RealtimeReport) -> bytes:
    """Draw the block times of a report that was just made, over time and how often each came.

    Args:
        report: with its `times`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    figure = Figure(figsize=(9.0, 4.2), dpi=100, layout="constrained")
    figure.suptitle(f"{report.verdict}: {report.machine.host} on {report.machine.cpu}", color=_INK)
    over_time, often = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    largest = max(report.deadline_ms, *(max(times) for times in report.times.values()))
    smallest = min(min(times) for times in report.times.values())
    edges = np.geomspace(smallest, largest, _BINS)
    for colour, (name, times) in zip(_COLOURS, report.times.items(), strict=False):
        seconds = [index * report.deadline_ms / 1e3 for index in range(len(times))]
        over_time.plot(seconds, times, ".", markersize=3, color=colour, label=name)
        often.hist(times, edges, orientation="horizontal", histtype="step", color=colour, log=True)
    for axes in (over_time, often):
        _draw_limits(axes, report)
    over_time.set(
        xlabel="s", ylabel="ms per block", yscale="log", ylim=(smallest / 1.5, 3 * largest)
    )
    often.set_xlabel("blocks")
    over_time.yaxis.set_major_formatter(ScalarFormatter())
    over_time.legend(loc="upper right", ncols=len(report.times) + 2, frameon=False, fontsize=8)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_limits(axes: "Axes", report: RealtimeReport) -> None:
    axes.axhline(report.deadline_ms, color=_INK, linewidth=1, label="deadline")
    axes.axhline(
        report.limit * report.deadline_ms, color=_INK, linewidth=1, linestyle="--", label="limit"
    )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_QUIET)
