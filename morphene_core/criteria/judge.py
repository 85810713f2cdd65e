"""What holds of an audit: the three criteria that are measured, each with its score."""

import math
from dataclasses import dataclass
from typing import Literal

from morphene_core.audits import Audit
from morphene_core.criteria.thresholds import Threshold, Thresholds
from morphene_core.criteria.words import in_words
from morphene_core.metrics import METRICS

MEASURED = ("musical_reconstruction", "nonmusical_reconstruction", "morph_progression")
"""The criteria that measurements decide; the others take an export and a person."""

_OF_THE_REFERENCE = ("musical_f0_error", "musical_loudness_correlation")
"""Metrics that are None only where the reference has no pitch, or a level that never moves."""

_FARTHEST = 100.0


@dataclass(frozen=True)
class Number:
    """One measured number beside its threshold.

    Attributes:
        metric: its name, a key of METRICS.
        value: what was measured; None where nothing could be.
        threshold: the worst value that passes.
        better: which values are better.
        passed: whether it passes. What could not be measured does not.
        provisional: whether nobody's ears have confirmed the threshold.
        badness: 0 for a perfect value, 1 at the threshold; see `badness`.
        weight: its part in the criterion's score.
    """

    metric: str
    value: float | None
    threshold: float
    better: Literal["lower", "higher"]
    passed: bool
    provisional: bool
    badness: float
    weight: float


@dataclass(frozen=True)
class CriterionResult:
    """What holds of one criterion.

    Attributes:
        name: of the criterion.
        passed: whether all of its numbers pass.
        score: weighted root mean square of their badness, so that one bad number counts for more
            than many slight ones; lower is better, 1.0 if all are at the thresholds.
        numbers: in the order of METRICS.
        text: one line for a person.
        provisional: whether any of the thresholds is.
    """

    name: str
    passed: bool
    score: float
    numbers: list[Number]
    text: str
    provisional: bool

    @property
    def surely_failed(self) -> bool:
        """Whether a number that has a say fails by a threshold that people's verdicts confirmed."""
        return any(n.weight > 0 and not (n.passed or n.provisional) for n in self.numbers)


def judge(audit: Audit, thresholds: Thresholds) -> dict[str, CriterionResult]:
    """Return what holds of each measured criterion, by its name."""
    return {name: _judge(name, audit, thresholds) for name in MEASURED}


def badness(metric: str, value: float | None, threshold: float) -> float:
    """Return how bad a value is: 0 if perfect or better, 1 at the threshold.

    Up to the threshold it is the distance from the perfect value, in thresholds. From there on it
    grows with the logarithm of that distance, lest one number that is far off hide all others. A
    hundred thresholds are as bad as it gets; what could not be measured counts as that.

    Args:
        metric: a key of METRICS.
        value: what was measured.
        threshold: for this metric, on the worse side of its perfect value.
    """
    if value is None or math.isnan(value):
        return 1 + math.log(_FARTHEST)
    best = METRICS[metric].best
    distance = min(max((value - best) / (threshold - best), 0.0), _FARTHEST)
    return distance if distance <= 1 else 1 + math.log(distance)


def _judge(name: str, audit: Audit, thresholds: Thresholds) -> CriterionResult:
    numbers = [
        _number(metric, audit.metrics.get(metric), thresholds.metrics[metric])
        for metric in METRICS
        if METRICS[metric].criterion == name and not _does_not_apply(metric, audit)
    ]
    weight = sum(number.weight for number in numbers)
    provisional = any(number.provisional for number in numbers)
    return CriterionResult(
        name=name,
        passed=all(number.passed for number in numbers),
        score=math.sqrt(sum(number.weight * number.badness**2 for number in numbers) / weight),
        numbers=numbers,
        text=_text(numbers, "provisional thresholds" if provisional else "thresholds"),
        provisional=provisional,
    )


def _does_not_apply(metric: str, audit: Audit) -> bool:
    """Whether the reference has nothing of what a metric is about, such as a pitch."""
    return metric in _OF_THE_REFERENCE and audit.metrics.get(metric, 0.0) is None


def _number(metric: str, value: float | None, threshold: Threshold) -> Number:
    better = METRICS[metric].better
    if value is None or math.isnan(value):
        passed = False
    else:
        passed = value <= threshold.value if better == "lower" else value >= threshold.value
    return Number(
        metric=metric,
        value=value,
        threshold=threshold.value,
        better=better,
        passed=passed,
        provisional=threshold.provisional,
        badness=badness(metric, value, threshold.value),
        weight=threshold.weight,
    )


def _text(numbers: list[Number], thresholds: str) -> str:
    failed = [number for number in numbers if not number.passed]
    if failed:
        what = ", ".join(_in_words(number) for number in failed)
        return f"{len(failed)} of {len(numbers)} numbers miss the {thresholds}: {what}."
    closest = max(numbers, key=lambda number: number.badness)
    return f"All {len(numbers)} numbers hold the {thresholds}. The closest: {_in_words(closest)}."


def _in_words(number: Number) -> str:
    metric = METRICS[number.metric]
    bound = "at most" if metric.better == "lower" else "at least"
    value, threshold = (in_words(x, metric.unit) for x in (number.value, number.threshold))
    return f"{metric.title} {value} ({bound} {threshold})"
