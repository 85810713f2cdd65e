"""How the sound goes from one reference to the other."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from morphene_core.audio.wav import Mono
from morphene_core.metrics.mel import (
    FRAMES_PER_SECOND,
    Levels,
    cleaned,
    decibels,
    floor_under,
    mel_powers,
)

_CELL = 24  # frames, 256 ms: over so long the course of noise averages out
_FALLEN_DB = 20.0  # so far under both ends a frame is a dropout
_AUDIBLE_DB = 50.0  # under the loudest frame of both ends; softer ones cannot drop out
_LAG = 2  # frames between the spectra of a flux
_NEAR = 6  # frames to either side, 64 ms: an event of an end may come so much earlier or later
_SPIKE_DB = 2.5  # mean rise of all bands above what the ends have near by

Series = NDArray[np.float64]


class MorphReference:
    """The two references of a morph, measured once, to judge paths between them with.

    Args:
        musical: where the path begins, shape (samples,), at 48 kHz.
        nonmusical: where it ends, likewise.
    """

    def __init__(self, musical: Mono, nonmusical: Mono) -> None:
        powers = [mel_powers(cleaned(audio)) for audio in (musical, nonmusical)]
        self._floor = max(max(floor_under(p) for p in powers), 1e-12)
        self._musical, self._nonmusical = (self._point(p) for p in powers)

    def compare(
        self, points: Iterable[Mono]
    ) -> tuple[dict[str, float | None], dict[str, list[float]]]:
        """Return the metrics of the criterion ``morph_progression``, and the path itself.

        Args:
            points: the renders of even steps from the first reference to the second, each of shape
                (samples,), at 48 kHz; all are cropped to the shortest. They are taken one at a
                time and not kept. Samples that are not finite count as zeros.

        Returns:
            The metrics by name: of a path whose points are all alike, neither unevenness nor ratio
            nor monotonicity can be measured; between references that are alike, no distance of the
            ends. And the path: ``amount`` from 0 to 1, ``to_musical`` and ``to_nonmusical``, the
            distances of each point from the path's own ends, and ``step``, those of neighbours;
            all in shares of the distance between the references.

        Raises:
            ValueError: there are less than three points.
        """
        path = [self._point(mel_powers(cleaned(audio))) for audio in points]
        if len(path) < 3:
            raise ValueError(f"a path of {len(path)} points has no steps to compare")
        frames = min(len(p.level) for p in (*path, self._musical, self._nonmusical))
        path = [p.cropped(frames) for p in path]
        references = [p.cropped(frames) for p in (self._musical, self._nonmusical)]
        return _metrics(path, references), _series(path, references)

    def _point(self, powers: Levels) -> "_Point":
        return _Point.of(powers, self._floor)


class _Point:
    """What is kept of a sound.

    Attributes:
        cells: mean levels in dB of mel bands over 256 ms each, shape (cells, bands).
        level: of each frame in dB, shape (frames,).
        flux: how much the bands rose on average until each frame, in dB, shape (frames,).
    """

    def __init__(self, cells: Levels, level: Levels, flux: Levels) -> None:
        self.cells, self.level, self.flux = cells, level, flux

    @staticmethod
    def of(powers: Levels, floor: float) -> "_Point":
        levels = decibels(powers, floor)
        starts = np.arange(0, max(len(levels) - _CELL // 2, 1), _CELL)
        counts = np.diff([*starts, len(levels)])[:, None].astype(np.float32)
        cells = np.add.reduceat(levels, starts, axis=0) / counts
        level = decibels(powers.sum(axis=1), floor)
        flux = np.zeros(len(levels), np.float32)
        flux[_LAG:] = np.maximum(levels[_LAG:] - levels[:-_LAG], 0).mean(axis=1)
        return _Point(cells, level, flux)

    def cropped(self, frames: int) -> "_Point":
        cells = -(-(frames - _CELL // 2) // _CELL)
        return _Point(self.cells[: max(cells, 1)], self.level[:frames], self.flux[:frames])


def _distance(a: _Point, b: _Point) -> float:
    """Return the root mean square difference of two sounds' levels, in dB."""
    return float(np.sqrt(np.mean(np.square(a.cells - b.cells), dtype=np.float64)))


def _distances(path: list[_Point]) -> tuple[Series, Series, Series]:
    """Return the distances of all points from the first and from the last, and the steps."""
    from_first = np.array([_distance(p, path[0]) for p in path])
    from_last = np.array([_distance(p, path[-1]) for p in path])
    steps = np.array([_distance(a, b) for a, b in pairwise(path)])
    return from_first, from_last, steps


def _metrics(path: list[_Point], references: list[_Point]) -> dict[str, float | None]:
    from_first, from_last, steps = _distances(path)
    apart = _distance(*references)
    astray = max(_distance(path[0], references[0]), _distance(path[-1], references[1]))
    moves = bool(steps.any())
    direct = float(from_first[-1])
    return {
        "morph_unevenness": float(steps.std() / steps.mean()) if moves else None,
        "morph_path_ratio": float(steps.sum() / direct) if direct else None,
        "morph_monotonicity": min(map(_progress, (from_first, -from_last))) if moves else None,
        "morph_endpoint_distance": astray / apart if apart else None,
        "morph_dropouts": _dropouts(path),
        "morph_flux_spikes": _flux_spikes(path),
    }


def _series(path: list[_Point], references: list[_Point]) -> dict[str, list[float]]:
    unit = _distance(*references) or 1.0
    from_first, from_last, steps = (part / unit for part in _distances(path))
    return {
        "amount": np.linspace(0, 1, len(path)).tolist(),
        "to_musical": from_first.tolist(),
        "to_nonmusical": from_last.tolist(),
        "step": steps.tolist(),
    }


def _progress(distances: Series) -> float:
    """Return the net rise of a series as a share of all its ups and downs, 1 if it only rises."""
    moves = np.diff(distances)
    return float(moves.sum() / np.abs(moves).sum())


def _dropouts(path: list[_Point]) -> float:
    """Return the share of audible frames on the way that fall far under both ends."""
    lower = np.minimum(path[0].level, path[-1].level)
    audible = lower > max(path[0].level.max(), path[-1].level.max()) - _AUDIBLE_DB
    if not audible.any():
        return 0.0
    fallen = [p.level[audible] < lower[audible] - _FALLEN_DB for p in path[1:-1]]
    return float(np.mean(fallen))


def _flux_spikes(path: list[_Point]) -> float:
    """Return how many peaks of flux a second, on average on the way, neither end has near by."""
    ends = np.maximum(path[0].flux, path[-1].flux)
    expected = maximum_filter1d(ends, 2 * _NEAR + 1) + _SPIKE_DB
    spikes = 0
    for point in path[1:-1]:
        peaks = point.flux == maximum_filter1d(point.flux, 2 * _NEAR + 1)
        spikes += int(np.sum(peaks & (point.flux > expected)))
    return spikes / (len(path) - 2) / (len(path[0].level) / FRAMES_PER_SECOND)
