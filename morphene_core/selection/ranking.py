"""The order of audited checkpoints: sound ones before faulty ones, then by Pareto fronts."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from morphene_core.audits import Audit
from morphene_core.criteria import MEASURED, CriterionResult, Thresholds, faults, judge
from morphene_core.files import combined_hash
from morphene_core.metrics import METRICS_VERSION
from morphene_core.selection.plateau import Plateau, find_plateau
from morphene_core.selection.words import why_first

RULE_VERSION = "1"
"""Of the ranking's rule: raised whenever the same audits would come in another order."""

Key = tuple[tuple[bool, float], ...]


@dataclass(frozen=True)
class Place:
    """Where a checkpoint stands among the others.

    Attributes:
        number: 1 for the first.
        audit: what was measured of it.
        results: by criterion.
        faults: why it is left out, in words; empty if it is not.
        front: 1 if no other checkpoint is as good in all criteria and better in one; 2 if that
            holds once the first front is taken away, and so on. None if it is left out.
        distance: from a perfect checkpoint, root mean square of the criteria's scores: 0 is
            perfect, 1 is at all thresholds.
    """

    number: int
    audit: Audit
    results: dict[str, CriterionResult]
    faults: tuple[str, ...]
    front: int | None
    distance: float

    @property
    def step(self) -> int:
        """Of the checkpoint."""
        return self.audit.step

    @property
    def phase(self) -> int:
        """Of the training at that step."""
        return self.audit.phase


@dataclass(frozen=True)
class Ranking:
    """All audited checkpoints in their order.

    Attributes:
        places: the best first, those left out last.
        champions: the best of each phase that has one that is not left out.
        plateau: whether more training still helps.
        reason: why the first is first, for a person.
        provisional: whether any threshold is.
        version: of rule, measurements and thresholds: another one may give another order.
    """

    places: tuple[Place, ...]
    champions: dict[int, Place]
    plateau: Plateau
    reason: str
    provisional: bool
    version: str

    @property
    def first(self) -> Place | None:
        """The best checkpoint, or None if all are left out."""
        return next((place for place in self.places if not place.faults), None)


def rank(audits: Sequence[Audit], thresholds: Thresholds) -> Ranking:
    """Order a training's audited checkpoints.

    Left out are those with a fault that no virtue makes up for, and those that were not audited
    with the references and measurements of most others. The rest are ordered by the Pareto front
    they are on. Of two on one front, the one goes first that fails fewer criteria by thresholds
    that people's verdicts have confirmed, then the one with the smaller distance, then the later.

    A criterion is better if it is not failed by a confirmed threshold, then if its score is lower;
    provisional thresholds have no say of their own. So the first is one with the fewest criteria
    failed by confirmed thresholds, and if all are provisional, the one with the least distance.
    """
    common = _common(audits)
    out = {audit.step: tuple(_reasons_against(audit, common, thresholds)) for audit in audits}
    results = {audit.step: judge(audit, thresholds) for audit in audits}
    keys = {step: _key(of) for step, of in results.items()}
    distance = {step: _distance(of) for step, of in results.items()}
    sound = [step for step in sorted(out) if not out[step]]
    front = dict(zip(sound, _fronts([keys[step] for step in sound]), strict=True))

    def order(audit: Audit) -> tuple[float, ...]:
        step = audit.step
        failed = sum(failed for failed, _ in keys[step])
        return (front.get(step, math.inf), failed, distance[step], -step)

    places = tuple(
        Place(number, a, results[a.step], out[a.step], front.get(a.step), distance[a.step])
        for number, a in enumerate(sorted(audits, key=order), start=1)
    )
    provisional = any(threshold.provisional for threshold in thresholds.metrics.values())
    return Ranking(
        places=places,
        champions=_champions(places),
        plateau=_plateau(places),
        reason=why_first(places, provisional),
        provisional=provisional,
        version=combined_hash([RULE_VERSION, METRICS_VERSION, thresholds.version])[:8],
    )


def _common(audits: Sequence[Audit]) -> tuple[object, ...]:
    """Return the references and measurements of most audits; of two alike, of the later ones."""
    kinds = [_kind(audit) for audit in sorted(audits, key=lambda audit: -audit.step)]
    return Counter(kinds).most_common(1)[0][0] if kinds else ()


def _kind(audit: Audit) -> tuple[object, ...]:
    return (audit.version, *sorted(audit.references_sha256.items()))


def _reasons_against(audit: Audit, common: tuple[object, ...], thresholds: Thresholds) -> list[str]:
    if _kind(audit) != common:
        return ["audited with other references or measurements than the others: audit it anew"]
    return faults(audit, thresholds)


def _key(results: dict[str, CriterionResult]) -> Key:
    return tuple((results[name].surely_failed, results[name].score) for name in MEASURED)


def _distance(results: dict[str, CriterionResult]) -> float:
    return math.sqrt(sum(results[name].score ** 2 for name in MEASURED) / len(MEASURED))


def _fronts(keys: Sequence[Key]) -> list[int]:
    """Return the number of the Pareto front of each key, from 1."""
    front = [0] * len(keys)
    number = 0
    while left := [i for i, of in enumerate(front) if not of]:
        number += 1
        for i in left:
            if not any(_dominates(keys[j], keys[i]) for j in left):
                front[i] = number
    return front


def _dominates(a: Key, b: Key) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


def _champions(places: Sequence[Place]) -> dict[int, Place]:
    champions: dict[int, Place] = {}
    for place in places:
        if not place.faults:
            champions.setdefault(place.phase, place)
    return dict(sorted(champions.items()))


def _plateau(places: Sequence[Place]) -> Plateau:
    adversarial = sorted((p for p in places if p.phase == 2), key=lambda place: place.step)
    return find_plateau([(p.step, math.inf if p.faults else p.distance) for p in adversarial])
