"""Thresholds recomputed from what people heard: audited checkpoints and the verdicts on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import tomlkit
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from morphene_core.audits import Audit, read_audit
from morphene_core.criteria.thresholds import (
    FILE_NAME,
    Calibrated,
    Threshold,
    Thresholds,
    is_worse_than_best,
)
from morphene_core.errors import InputError
from morphene_core.files import write_text
from morphene_core.home import Home
from morphene_core.metrics import METRICS, METRICS_VERSION
from morphene_core.training import now, trainings
from morphene_core.verdicts import Verdict, read_verdicts

FEWEST = 5
"""Verdicts on each side that it takes. Of four against four, even a perfect separation is chance
more often than ``CHANCE``."""

CHANCE = 0.01
"""Largest probability at which a separation may come about although the metric says nothing."""

Pair = tuple[Audit, Verdict]


@dataclass(frozen=True)
class Row:
    """What calibration makes of one metric's threshold.

    Attributes:
        metric: its name.
        old: the present threshold.
        new: the recomputed one, as it is to be stored; None if the present one is kept.
        reason: why, with numbers.
        good: verdicts that rated the criterion as good or usable.
        bad: verdicts that rated it as bad.
    """

    metric: str
    old: Threshold
    new: Threshold | None
    reason: str
    good: int
    bad: int


def calibrate(pairs: Sequence[Pair], thresholds: Thresholds) -> list[Row]:
    """Recompute the threshold of every metric from verdicts on audited checkpoints.

    A verdict says of a criterion whether it is good, usable or bad; what is not bad must pass. The
    threshold is the one with the greatest balanced accuracy: the mean of the shares of good and of
    bad checkpoints on the right side (K. H. Brodersen et al.: "The balanced accuracy and its
    posterior distribution", ICPR 2010). Of several it lies in the widest gap between two
    measurements, and in the gap at the shortest number near the middle. What could not be measured
    fails at any threshold.

    The present threshold is kept if there are fewer than five checkpoints on a side, or if the
    metric does not tell the sides apart: one-sided Mann-Whitney U test with p over 0.01 (H. B.
    Mann, D. R. Whitney, Annals of Mathematical Statistics 18, 1947).

    Args:
        pairs: an audit and the verdict on the same checkpoint; each checkpoint once. Audits of
            other measurements than today's are passed over.
        thresholds: those in use.

    Returns:
        A row for each metric, in the order of METRICS.
    """
    usable = [(a, v) for a, v in pairs if a.version == METRICS_VERSION]
    return [_row(name, usable, thresholds.metrics[name]) for name in METRICS]


def collect(home: Home) -> list[Pair]:
    """Return all audited checkpoints of a home that have a verdict, each with its newest one.

    Raises:
        MorpheneError: a record cannot be read.
    """
    slugs = sorted(path.parent.name for path in home.path.glob("models/*/trainings"))
    return [pair for slug in slugs for pair in _collect(home, slug)]


def write_thresholds(home: Path, rows: Iterable[Row]) -> Path | None:
    """Write recomputed thresholds into the project folder's ``criteria.toml``, all or none.

    What else the file says, comments too, stays. Returns its path, or None if nothing changed.

    Raises:
        InputError: the file is not valid TOML, or there is no space left.
    """
    changed = {row.metric: row.new for row in rows if row.new}
    if not changed:
        return None
    path = home / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else _HEADER
        document = tomlkit.parse(text)
    except ValueError as error:
        raise InputError(f"{path} is not valid TOML: {error}. Mend it.") from error
    metrics = document.setdefault("metrics", tomlkit.table(is_super_table=True))
    for name, threshold in changed.items():
        entry = metrics.setdefault(name, tomlkit.table())
        entry.update(threshold.model_dump(exclude={"weight"}))
    write_text(path, tomlkit.dumps(document))
    return path


_HEADER = """\
# Thresholds of this project folder, in place of Morphene's own. `morphene calibrate --write` writes
# them; they may be changed by hand, too.

"""


def _collect(home: Home, slug: str) -> list[Pair]:
    paths = home.instrument(slug)
    newest = {verdict.checkpoint_sha256: verdict for verdict in read_verdicts(paths)}
    pairs = []
    for folder in trainings(paths) if newest else []:
        for checkpoint in folder.read().checkpoints:
            verdict = newest.pop(checkpoint.sha256, None)
            audit = read_audit(folder, checkpoint.step) if verdict else None
            if audit and verdict and audit.checkpoint_sha256 == checkpoint.sha256:
                pairs.append((audit, verdict))
    return pairs


def _row(name: str, pairs: Sequence[Pair], old: Threshold) -> Row:
    criterion = METRICS[name].criterion
    rated = [(a.metrics.get(name), v.criteria.get(criterion)) for a, v in pairs]
    good = _costs(name, [value for value, rating in rated if rating in ("good", "usable")])
    bad = _costs(name, [value for value, rating in rated if rating == "bad"])
    counts = f"{len(good)} good or usable and {len(bad)} bad"
    found = _recomputed(name, good, bad, old)
    if isinstance(found, str):
        return Row(name, old, None, f"kept, with {counts} verdicts: {found}", len(good), len(bad))
    value, accuracy = found
    calibrated = Calibrated(
        at=now(),
        before=old.value,
        audits=len(pairs),
        verdicts=len(good) + len(bad),
        good=len(good),
        bad=len(bad),
        accuracy=round(accuracy, 3),
        metrics_version=METRICS_VERSION,
    )
    reason = f"Tells {counts} checkpoints apart, with a balanced accuracy of {accuracy:.0%}."
    new = Threshold(value=value, weight=old.weight, reason=reason, calibrated=calibrated)
    return Row(name, old, new, reason, len(good), len(bad))


def _recomputed(
    name: str, good: NDArray[np.float64], bad: NDArray[np.float64], old: Threshold
) -> tuple[float, float] | str:
    """Return a metric's new threshold and its accuracy, or why the old one is kept."""
    if min(len(good), len(bad)) < FEWEST:
        return f"it takes {FEWEST} of each"
    chance = float(mannwhitneyu(good, bad, alternative="less").pvalue)
    if not chance <= CHANCE:
        return f"the metric does not tell them apart (p = {chance:.2g})"
    value, accuracy = _best_cut(name, good, bad, old.value)
    if value is None:
        return "only perfect values would tell them apart"
    if old.calibrated and old.value == value:
        return "they say the same again"
    return value, accuracy


def _costs(metric: str, values: Iterable[float | None]) -> NDArray[np.float64]:
    """Return values so that larger is worse, and inf where nothing was measured."""
    sign = 1.0 if METRICS[metric].better == "lower" else -1.0
    numbers = np.array([np.nan if value is None else sign * value for value in values], float)
    return np.where(np.isnan(numbers), np.inf, numbers)


def _best_cut(
    metric: str, good: NDArray[np.float64], bad: NDArray[np.float64], present: float
) -> tuple[float | None, float]:
    """Return the threshold that tells good from bad best, if there is one, and its accuracy."""
    sign = 1.0 if METRICS[metric].better == "lower" else -1.0
    costs = np.unique(np.concatenate([good, bad]))
    best: tuple[float, float] = (0.0, 0.0)
    value = None
    for low, high in pairwise(costs.tolist()):
        accuracy = float((np.mean(good <= low) + np.mean(bad >= high)) / 2)
        middle = (low + high) / 2 if high < np.inf else max(low, sign * present)
        cut = sign * _shortest(low, high, middle)
        if (accuracy, high - low) > best and is_worse_than_best(metric, cut):
            best, value = (accuracy, high - low), cut
    return value, best[0]


def _shortest(low: float, high: float, middle: float) -> float:
    """Return the number of fewest digits, but two, from ``low`` on and below ``high``."""
    rounded = (float(f"{middle:.{digits}g}") for digits in range(2, 18))
    return next((number for number in rounded if low <= number < high), low)
