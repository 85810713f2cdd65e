"""Why the first is first, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from morphene_core.criteria import MEASURED, CriterionResult, Number, in_words
from morphene_core.metrics import METRICS
from morphene_core.selection.plateau import MARGIN

if TYPE_CHECKING:
    from morphene_core.selection.ranking import Place

PHASES = {1: "first", 2: "adversarial"}

_MOST_DIFFERENCES = 3


def why_first(places: Sequence[Place], provisional: bool) -> str:
    """Return why the first place is first, against the runner-up, with the numbers that decide.

    Args:
        places: all of them in their order, those left out last.
        provisional: whether any threshold is.
    """
    sound = [place for place in places if not place.faults]
    if not sound:
        return f"None of {len(places)} audited checkpoints is without faults."
    first = sound[0]
    sentences = [
        _headline(first, sound, provisional),
        _criteria(first, provisional),
        *([_against(first, sound[1])] if len(sound) > 1 else []),
        _other_phase(first, sound),
        _without_a_say(first, sound),
        _left_out(places),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _headline(first: Place, sound: Sequence[Place], provisional: bool) -> str:
    thresholds = "provisional thresholds" if provisional else "thresholds"
    name = f"Step {first.step:,}, of the {PHASES[first.phase]} phase,"
    distance = f"distance {first.distance:.2f}, where 0 is perfect and 1 at all {thresholds}"
    if len(sound) == 1:
        return f"{name} is the only sound checkpoint ({distance})."
    front = sum(place.front == 1 for place in sound)
    return f"{name} is first of {len(sound)} ({distance})." + (
        f" {front} of them are not beaten in every criterion by another." if front > 1 else ""
    )


def _criteria(first: Place, provisional: bool) -> str:
    missed = [first.results[name] for name in MEASURED if not first.results[name].passed]
    held = len(MEASURED) - len(missed)
    by = " by provisional thresholds" if provisional else ""
    text = f"It holds {held} of {len(MEASURED)} criteria{by}"
    return f"{text}; missed: {', '.join(map(_miss, missed))}." if missed else f"{text}."


def _miss(result: CriterionResult) -> str:
    numbers = ", ".join(_name(number) for number in result.numbers if not number.passed)
    return f"{result.name.replace('_', ' ')} ({numbers})"


def _against(first: Place, other: Place) -> str:
    theirs = {n.metric: n for result in other.results.values() for n in result.numbers}
    pairs = [
        (mine, theirs[mine.metric])
        for name in MEASURED
        for mine in first.results[name].numbers
        if mine.metric in theirs
    ]
    decisive = [pair for pair in pairs if _effect(*pair) and _words(pair[0]) != _words(pair[1])]
    decisive.sort(key=lambda pair: -_effect(*pair))
    better = [_pair(a, b) for a, b in decisive if a.badness < b.badness]
    worse = [_pair(a, b) for a, b in decisive if a.badness > b.badness]
    text = f"Against the runner-up, step {other.step:,} ({other.distance:.2f})"
    if abs(first.distance - other.distance) < MARGIN:
        text += ", which is hardly different as a whole"
    if not decisive:
        return f"{text}: alike in all numbers."
    parts = [
        f"{word} in {', '.join(some[:_MOST_DIFFERENCES])}"
        for word, some in (("better", better), ("worse", worse))
        if some
    ]
    return f"{text}: {'; '.join(parts)}."


def _effect(a: Number, b: Number) -> float:
    """Return how much a difference counts in the criterion's score."""
    return a.weight * abs(a.badness**2 - b.badness**2)


def _pair(mine: Number, theirs: Number) -> str:
    return f"{_name(mine)} ({_words(mine)}, not {_words(theirs)})"


def _words(number: Number) -> str:
    return in_words(number.value, METRICS[number.metric].unit)


def _name(number: Number) -> str:
    return METRICS[number.metric].title


def _other_phase(first: Place, sound: Sequence[Place]) -> str:
    other = next((place for place in sound if place.phase != first.phase), None)
    if other is None:
        return ""
    phase = PHASES[other.phase]
    return f"Best of the {phase} phase: step {other.step:,} ({other.distance:.2f})."


def _without_a_say(first: Place, sound: Sequence[Place]) -> str:
    """Say where a number without weight would have had another checkpoint first."""
    numbers = _numbers(first)
    sentences = []
    for name in (name for name, number in numbers.items() if not number.weight):
        best = min(sound, key=lambda place: _numbers(place)[name].badness)
        least, here = _numbers(best)[name], numbers[name]
        if least.badness < here.badness:
            sentences.append(
                f"The {_name(here)} is better at step {best.step:,} ({_words(least)}, here"
                f" {_words(here)}), which has no say in the order."
            )
    return " ".join(sentences)


def _numbers(place: Place) -> dict[str, Number]:
    return {n.metric: n for name in MEASURED for n in place.results[name].numbers}


def _left_out(places: Sequence[Place]) -> str:
    out = sorted(place.step for place in places if place.faults)
    steps = ", ".join(f"{step:,}" for step in out)
    return f"Left out for faults: step{'s' if len(out) > 1 else ''} {steps}." if out else ""
