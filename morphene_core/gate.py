"""The gate before a delivery: the five criteria of this very checkpoint, and the rights.

`criteria_of` is the one place where the criteria are evaluated: the checks in Dagster show what it
says, and `obstacles` lets nothing past that does not hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from morphene_core.approval import Approval, approval
from morphene_core.audits import Audit, read_audit
from morphene_core.criteria import (
    MEASURED,
    Number,
    Thresholds,
    audible_artifacts,
    judge,
    load_thresholds,
)
from morphene_core.delivery.rights import Decision
from morphene_core.delivery.terms import InstrumentTerms, Obstacle
from morphene_core.errors import InputError
from morphene_core.final_model import FinalModel, export_of
from morphene_core.home import InstrumentPaths, Release
from morphene_core.metrics import METRICS
from morphene_core.realtime.report import RealtimeReport
from morphene_core.selection import Selection, read_selection
from morphene_core.sources.listing import printable
from morphene_core.training import current_training
from morphene_core.verdicts import CRITERIA

PLAYBACK, MUSICALITY = "real_time_playback", "musicality"


@dataclass(frozen=True)
class CriterionNumber:
    """A number that a criterion was judged by.

    Attributes:
        metric: its name.
        title: for a person.
        value: what was measured; None where nothing could be.
        threshold: the worst value that passes.
        unit: of both; empty for a number without one.
        better: which values are better, "lower" or "higher".
        passed: whether it passes.
        provisional: whether nobody's ears have confirmed the threshold.
    """

    metric: str
    title: str
    value: float | None
    threshold: float
    unit: str
    better: str
    passed: bool
    provisional: bool = False


@dataclass(frozen=True)
class Criterion:
    """One of the five criteria, of one checkpoint.

    Attributes:
        name: one of `morphene_core.verdicts.CRITERIA`.
        passed: whether it holds.
        text: why, one line for a person.
        remedy: what to do if it does not, a sentence; empty if it holds.
        numbers: that it was judged by; a person's verdict has none.
        score: of a measured one, 1.0 if all numbers are at their thresholds; else None.
    """

    name: str
    passed: bool
    text: str
    remedy: str = ""
    numbers: list[CriterionNumber] = field(default_factory=list)
    score: float | None = None

    @property
    def title(self) -> str:
        """Its name for a person."""
        return self.name.replace("_", " ").capitalize()


def criteria_of(paths: InstrumentPaths) -> dict[str, Criterion]:
    """Return the five criteria of the selected checkpoint of the current training, by their names.

    Raises:
        InputError: nothing is trained or selected.
    """
    folder = current_training(paths)
    profile, selection = folder.read().training_profile, read_selection(folder)
    step, digest = selection.step, selection.checkpoint_sha256
    return evaluate(
        paths.slug,
        selection,
        read_audit(folder, step),
        load_thresholds(paths.home),
        export_of(paths, folder.path.name, step, digest),
        approval(paths, profile, step, digest),
    )


def evaluate(
    slug: str,
    selection: Selection,
    audit: Audit | None,
    thresholds: Thresholds,
    model: FinalModel | None,
    approved: Approval,
) -> dict[str, Criterion]:
    """Return the five criteria of a checkpoint, by their names and in their order.

    Args:
        slug: of the instrument.
        selection: the checkpoint.
        audit: of its step, if there is one.
        thresholds: for what was measured.
        model: its export, if there is one.
        approved: what people say of it.
    """
    found = _measured(slug, selection, audit, thresholds)
    found |= {PLAYBACK: _playback(slug, model), MUSICALITY: _musicality(slug, approved)}
    return {name: found[name] for name in CRITERIA}


def obstacles(
    slug: str,
    shippable: bool,
    release: Release,
    criteria: Mapping[str, Criterion],
    approved: Approval,
    terms: InstrumentTerms,
    sources: Sequence[str],
    rights: Decision | None,
) -> list[Obstacle]:
    """Return all that stands between an instrument and its delivery; nothing if it may be made.

    What is made for trying things out waits for nobody, unless its profile says so; but nobody
    may have rejected it, and its recordings must allow that it is made.

    Args:
        slug: of the instrument.
        shippable: whether its profile makes instruments that ship.
        release: how it is to be released.
        criteria: the five, of the checkpoint that is to be delivered.
        approved: what people say of it.
        terms: that follow from its sources.
        sources: each with its licence, as a rights decision names them.
        rights: the decision that stands for such a release.
    """
    if not shippable:
        heard = [] if approved.allows_delivery else [_obstacle(criteria[MUSICALITY])]
        return heard + terms.refused
    found = [_obstacle(criterion) for criterion in criteria.values() if not criterion.passed]
    found += terms.refused + terms.obstacles
    return found + (_rights_obstacles(slug, sources, rights) if release == "commercial" else [])


def require_open(slug: str, found: Sequence[Obstacle]) -> None:
    """Refuse a delivery that something stands in the way of.

    Raises:
        InputError: with all of it, a line each.
    """
    if found:
        raise InputError(closed(slug, found))


def closed(slug: str, found: Sequence[Obstacle]) -> str:
    """Return what stands in the way of a delivery, a line each under a heading."""
    things = "This is" if len(found) == 1 else f"These {len(found)} things are"
    lines = (f"- {printable(obstacle.line)}" for obstacle in found)
    return "\n".join([f"{slug} is not delivered. {things} missing:", *lines])


def _obstacle(criterion: Criterion) -> Obstacle:
    end = "" if criterion.text.endswith((".", "!", "?")) else "."  # people's notes have any
    return Obstacle(f"{criterion.title}: {criterion.text}{end}", criterion.remedy)


def _rights_obstacles(slug: str, sources: Sequence[str], rights: Decision | None) -> list[Obstacle]:
    how = f"Clear the rights and record it: `morphene rights {slug} --by NAME --decision TEXT`."
    if rights is None:
        return [Obstacle("Nobody has recorded a rights decision for a commercial release.", how)]
    if unknown := rights.missing(sources):
        text = f"{rights.who}'s rights decision of {rights.at[:10]} does not cover"
        return [Obstacle(f"{text} {', '.join(unknown)}.", how)]
    return []


def _measured(
    slug: str, selection: Selection, audit: Audit | None, thresholds: Thresholds
) -> dict[str, Criterion]:
    if audit is None or audit.checkpoint_sha256 != selection.checkpoint_sha256:
        text = f"The file of step {selection.step:,} is not audited."
        remedy = f"Run `morphene audit --instrument {slug} --all`."
        return {name: Criterion(name, False, text, remedy) for name in MEASURED}
    other = f"Choose another checkpoint (`morphene select {slug}`), or train anew."
    found = {}
    for name, result in judge(audit, thresholds).items():
        # Of artifacts the criterion says that there are none, and a morph has all renders in it.
        heard = audible_artifacts(audit, thresholds) if name == "morph_progression" else []
        passed = result.passed and not heard
        text = " ".join([result.text, *(f"Artifact: {line}." for line in heard)])
        numbers = [_number(number) for number in result.numbers]
        found[name] = Criterion(name, passed, text, "" if passed else other, numbers, result.score)
    return found


def _number(number: Number) -> CriterionNumber:
    metric = METRICS[number.metric]
    return CriterionNumber(
        metric=number.metric,
        title=metric.title,
        value=number.value,
        threshold=number.threshold,
        unit=metric.unit,
        better=number.better,
        passed=number.passed,
        provisional=number.provisional,
    )


def _playback(slug: str, model: FinalModel | None) -> Criterion:
    if model is None:
        text = "The checkpoint is not exported."
        return Criterion(PLAYBACK, False, text, f"Run `morphene deliver {slug}`.")
    report = model.proof
    remedies = {
        "too slow": "Prove it on the machine that it is to be played on, or train a smaller model.",
        "machine busy": f"Prove it again on an idle machine: `morphene deliver {slug}`.",
        "faulty": f"Choose another checkpoint (`morphene select {slug}`), or train anew.",
    }
    remedy = "" if report.passed else remedies.get(report.verdict, "")
    return Criterion(PLAYBACK, report.passed, report.text, remedy, _block_times(report))


def _block_times(report: RealtimeReport) -> list[CriterionNumber]:
    most = report.limit * report.deadline_ms
    return [
        CriterionNumber(
            metric=f"{timing.name}_p99",
            title=f"block time of {timing.name}, 99th percentile",
            value=timing.p99_ms,
            threshold=most,
            unit="ms",
            better="lower",
            passed=timing.p99_ms <= most,
        )
        for timing in report.methods
    ]


def _musicality(slug: str, approved: Approval) -> Criterion:
    remedy = {
        "rejected": "Choose another checkpoint in the listening room, or train anew.",
        "waiting": "Give a verdict there.",
        "not asked": f"Listen and give one: `morphene listen {slug}`.",
        "approved": "",
    }
    passed = approved.state == "approved"
    return Criterion(MUSICALITY, passed, approved.text, remedy[approved.state])
