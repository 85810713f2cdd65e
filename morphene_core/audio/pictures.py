"""Pictures of sounds and of trainings, as PNG for the Dagster UI.

matplotlib is imported where it is used: it takes a second, and most processes draw nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from morphene_core.audio.coverage import Coverage

Audio = NDArray[np.floating[Any]]

_INK = "#24292f"
_QUIET = "#8c959f"
_LINE = "#2f6f9f"
_COLOURS = (_LINE, "#c8553d", "#5b8c5a", "#8a6fae", "#b08836", "#4d4d4d")
_WIDTH, _DPI = 9.0, 100
_COLUMNS = 800
_BANDS = 160
_WINDOW = 2048
_FRAMES_PER_COLUMN = 4
_LOWEST_HZ = 40.0
_RANGE_DB = 80.0
_FEW_CELLS = 12
_MISSING = "#f3c9bf"
_FEWEST_SECONDS, _MOST_SECONDS = 0.1, 100.0


def overview_png(audio: Audio, sample_rate: int, title: str) -> bytes:
    """Draw the waveform of mono audio above its spectrogram.

    The waveform is the lowest and highest sample per pixel. The spectrogram has logarithmic
    frequency and 80 dB under its maximum; up to a minute every column shows its whole time, of
    longer audio it shows samples of it.

    Args:
        audio: shape (samples,), full scale 1.0.
        sample_rate: in Hz.
        title: text above.
    """

    def draw(figure: "Figure") -> None:
        upper, lower = figure.subplots(2, 1, height_ratios=(1, 2.2))
        _draw_waveform(upper, audio, sample_rate)
        _draw_spectrogram(lower, audio, sample_rate)
        upper.set_xlim(0, _seconds(audio, sample_rate))
        upper.set_xticks([])
        _label_time(lower, len(audio) / sample_rate)

    return _png(draw, title, 4.6)


def spectrograms_png(sounds: Mapping[str, Audio], sample_rate: int, title: str) -> bytes:
    """Draw the spectrograms of several sounds one below the other, to be compared.

    Args:
        sounds: audio of shape (samples,) by what is written above it.
        sample_rate: in Hz.
        title: text above all.
    """

    def draw(figure: "Figure") -> None:
        rows = figure.subplots(len(sounds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, audio) in zip(rows, sounds.items(), strict=True):
            _draw_spectrogram(axes, audio, sample_rate)
            axes.set_title(name, loc="left", fontsize=9, color=_INK)
        _label_time(rows[-1], max(map(len, sounds.values())) / sample_rate)

    return _png(draw, title, 0.6 + 2.5 * len(sounds))


def morph_png(
    sounds: Mapping[str, Audio],
    amounts: Sequence[float],
    distances: Mapping[str, Sequence[float]],
    sample_rate: int,
    title: str,
) -> bytes:
    """Draw a morph: the spectrograms of its stages, and how far each point lies from both ends.

    Args:
        sounds: audio of shape (samples,) of the stages, by what is written above it.
        amounts: of the non-musical source, 0 to 1, shape (points,).
        distances: of the points from an end, shape (points,), by the name of the end.
        sample_rate: in Hz.
        title: text above all.
    """

    def draw(figure: "Figure") -> None:
        grid = figure.add_gridspec(2, len(sounds), height_ratios=(1.5, 1))
        for column, (name, audio) in enumerate(sounds.items()):
            axes = figure.add_subplot(grid[0, column])
            _draw_spectrogram(axes, audio, sample_rate)
            axes.set_title(name, loc="left", fontsize=9, color=_INK)
            axes.set_xlabel("s")
            if column:
                axes.set_yticks([])
                axes.set_ylabel("")
        axes = figure.add_subplot(grid[1, :])
        for index, (name, values) in enumerate(distances.items()):
            _draw_curve(axes, name, (amounts, values), index)
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("amount of the non-musical source")
        axes.legend(frameon=False, fontsize=9, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))

    return _png(draw, title, 5.0)


def curves_png(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    xlabel: str,
    title: str,
    marks: Mapping[str, float] = {},
) -> bytes:
    """Draw curves, such as losses over training steps.

    The vertical axis is logarithmic where all values are positive and span more than a factor of
    20. Values that are not finite are left out; a training may be drawn before its first value.

    Args:
        curves: x and y values by name, of the same length.
        xlabel: what the horizontal axis counts.
        title: text above.
        marks: x positions of vertical lines by their label, such as "phase 2".
    """

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        drawn = [_draw_curve(axes, name, curves[name], i) for i, name in enumerate(curves)]
        values = np.concatenate([np.empty(0), *drawn])
        if len(values) and values.min() > 0 and values.max() > 20 * values.min():
            _scale_log(axes)
        if not len(values):
            axes.text(
                0.5, 0.5, "no values yet", color=_QUIET, ha="center", transform=axes.transAxes
            )
            axes.set_yticks([])
        for label, x in marks.items():
            _draw_mark(axes, label, x)
        axes.grid(axis="y", color="#e6e8eb", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.10g}")
        axes.set_xlabel(xlabel)
        if drawn:
            # Above the axes, where no curve runs through it.
            axes.legend(
                frameon=False, fontsize=9, ncols=4, loc="lower right", bbox_to_anchor=(1, 1)
            )

    return _png(draw, title, 3.6)


def coverage_png(coverage: "Coverage", title: str) -> bytes:
    """Draw what recordings cover: notes or brightness across, dynamics or density upwards.

    The colour tells the seconds, logarithmically. Cells that are still missing are reddish, empty
    ones that nobody asks for are hatched.

    Args:
        coverage: what to draw.
        title: text above; the percentage is added.
    """

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        _draw_coverage(axes, coverage)
        unasked = ~np.array(coverage.expected) & (np.array(coverage.seconds) == 0)
        _draw_hatches(axes, unasked.T)
        if len(coverage.rows) < _FEW_CELLS:
            _label_cells(axes, np.array(coverage.seconds).T)
        picked = _picked_rows(coverage)
        axes.set_xticks(
            [i + 0.5 for i in picked], [coverage.rows[i] for i in picked], va="baseline"
        )
        axes.set_yticks(np.arange(len(coverage.columns)) + 0.5, coverage.columns)
        axes.tick_params(length=0)
        axes.tick_params(axis="x", pad=11)
        axes.spines[["left", "bottom"]].set_visible(False)

    height = 1.2 + 0.32 * len(coverage.columns)
    return _png(draw, f"{title}: {coverage.percentage:.0f} %", height)


def _draw_curve(
    axes: "Axes", name: str, curve: tuple[Sequence[float], Sequence[float]], index: int
) -> NDArray[np.float64]:
    x, y = (np.asarray(values, np.float64) for values in curve)
    finite = np.isfinite(x) & np.isfinite(y)
    colour = _COLOURS[index % len(_COLOURS)]
    marker = "o" if finite.sum() == 1 else ""  # a line of one point cannot be seen
    axes.plot(x[finite], y[finite], color=colour, linewidth=1.4, label=name, marker=marker)
    shown: NDArray[np.float64] = y[finite]
    return shown


def _scale_log(axes: "Axes") -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")


def _draw_mark(axes: "Axes", label: str, x: float) -> None:
    axes.axvline(x, color=_QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        label,
        (x, 0),
        xycoords=("data", "axes fraction"),
        xytext=(4, 5),
        textcoords="offset points",
        color=_QUIET,
        fontsize=8.5,
    )


def _draw_waveform(axes: "Axes", audio: Audio, sample_rate: int) -> None:
    seconds = _seconds(audio, sample_rate)
    low, high = _envelope(audio)
    times = (np.arange(len(low)) + 0.5) / max(len(low), 1) * seconds
    axes.fill_between(times, low, high, color=_LINE, linewidth=0.5)
    peak = float(np.abs(audio).max(initial=0.0))
    limit = 1.0 if 0.25 < peak <= 1.0 or not peak else peak * 1.1
    axes.set_ylim(-limit, limit)
    axes.set_xlim(0, seconds)
    axes.set_yticks([-limit, 0, limit], [f"{-limit:.2g}", "0", f"{limit:.2g}"])
    axes.set_ylabel("amplitude")


def _envelope(audio: Audio) -> tuple[Audio, Audio]:
    """Return the lowest and highest sample of each column."""
    if not len(audio):
        return audio, audio
    starts = np.linspace(0, len(audio), min(_COLUMNS, len(audio)), endpoint=False).astype(int)
    return np.minimum.reduceat(audio, starts), np.maximum.reduceat(audio, starts)


def _draw_spectrogram(axes: "Axes", audio: Audio, sample_rate: int) -> None:
    edges = np.geomspace(_LOWEST_HZ, sample_rate / 2, _BANDS + 1)
    image = _band_levels(audio, sample_rate, edges)
    times = np.linspace(0, _seconds(audio, sample_rate), image.shape[1] + 1)
    axes.pcolormesh(times, edges, image, cmap="magma", vmin=-_RANGE_DB, vmax=0, rasterized=True)
    axes.set_yscale("log")
    ticks = [hz for hz in (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000) if hz <= edges[-1]]
    axes.set_yticks(ticks, [f"{hz // 1000} k" if hz >= 1000 else str(hz) for hz in ticks])
    axes.minorticks_off()
    axes.set_ylabel("frequency in Hz")


def _band_levels(audio: Audio, sample_rate: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return levels in dB under the maximum, shape (bands, columns)."""
    padded = np.pad(audio, (0, max(0, _WINDOW - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)
    columns = min(_COLUMNS // 2, -(-len(frames) * 2 // _WINDOW))
    count = columns * max(_FRAMES_PER_COLUMN, min(8, len(frames) // (_WINDOW * columns)))
    picked = frames[np.linspace(0, len(frames) - 1, count).astype(int)]
    power = np.abs(np.fft.rfft(picked * np.hanning(_WINDOW).astype(np.float32))) ** 2
    power = power.reshape(columns, -1, power.shape[1]).mean(axis=1)
    # The density between two edges by the cumulative power: right for bands of many bins as for
    # bands narrower than one.
    cumulative = np.cumsum(np.pad(power, ((0, 0), (1, 0))), axis=1)
    bins = (np.arange(cumulative.shape[1]) - 0.5) * sample_rate / _WINDOW
    bands = np.diff([np.interp(edges, bins, row) for row in cumulative], axis=1) / np.diff(edges)
    levels = 10 * np.log10(np.maximum(bands / max(bands.max(), 1e-20), 1e-12))
    shown: NDArray[np.float64] = levels.T
    return shown


def _draw_coverage(axes: "Axes", coverage: "Coverage") -> None:
    from matplotlib.colors import ListedColormap, LogNorm

    seconds, expected = np.array(coverage.seconds).T, np.array(coverage.expected).T
    missing = expected & ~np.array(coverage.covered).T
    there = np.where(missing | (seconds == 0), np.nan, seconds)
    norm = LogNorm(_FEWEST_SECONDS, _MOST_SECONDS, clip=True)
    lines: Any = {"edgecolors": "white", "linewidth": 0.8}
    image = axes.pcolormesh(there, cmap="GnBu", norm=norm, **lines)
    axes.pcolormesh(np.where(missing, 1.0, np.nan), cmap=ListedColormap([_MISSING]), **lines)
    hint = "reddish: still missing" + ("" if expected.all() else ", hatched: not asked for")
    axes.set_title(hint, loc="right", fontsize=8.5, color=_QUIET)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01, aspect=12)
    bar.set_ticks([0.1, 1, 10, 100], labels=["0.1", "1", "10", "100 s"])
    bar.minorticks_off()
    bar.outline.set_visible(False)


def _draw_hatches(axes: "Axes", cells: NDArray[np.bool_]) -> None:
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(cells):
        axes.add_patch(
            Rectangle(
                (column, row), 1, 1, fill=False, hatch="///", edgecolor="#d0d7de", linewidth=0
            )
        )


def _label_cells(axes: "Axes", seconds: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(seconds):
        if value:
            colour = "white" if value > _MOST_SECONDS / 6 else _INK
            axes.text(
                column + 0.5, row + 0.5, f"{value:,.0f} s", ha="center", va="center", color=colour
            )


def _picked_rows(coverage: "Coverage") -> list[int]:
    """Return which rows to label: all of a few; of many notes the ends, and each C between."""
    rows, last = coverage.rows, len(coverage.rows) - 1
    if last < _FEW_CELLS:
        return list(range(last + 1))
    between = [i for i in range(3, last - 2) if rows[i][0] == "C" and "#" not in rows[i]]
    return [0, *between, last]


def _seconds(audio: Audio, sample_rate: int) -> float:
    return max(len(audio), 1) / sample_rate


def _label_time(axes: "Axes", seconds: float) -> None:
    if seconds < 120:
        axes.set_xlabel("time in s")
        return
    axes.xaxis.set_major_locator(_minute_locator(seconds))
    axes.xaxis.set_major_formatter(lambda s, _: f"{int(s) // 60}:{int(s) % 60:02d}")
    axes.set_xlabel("time in min:s")


def _minute_locator(seconds: float) -> Any:
    from matplotlib.ticker import MultipleLocator

    steps = (15, 30, 60, 120, 300, 600, 1800, 3600)
    return MultipleLocator(next((step for step in steps if seconds / step <= 9), seconds / 8))


def _png(draw: Callable[["Figure"], None], title: str, height: float) -> bytes:
    """Return a drawn figure as PNG with a palette, a third of the size of full colour."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    style: Any = {
        "font.size": 9, "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": _QUIET,
        "xtick.color": _INK, "ytick.color": _INK, "axes.linewidth": 0.6,
        "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with rc_context(style):
        figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
        canvas: Any = FigureCanvasAgg(figure)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold", parse_math=False)
        draw(figure)
        canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    file = BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
