"""The gate: what has to hold before an instrument is delivered."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from morphene_core.approval import Approval, approval
from morphene_core.audio.wav import write_wav
from morphene_core.audits import Audit
from morphene_core.audits.record import references
from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.rights import Decision
from morphene_core.delivery.terms import LicensedSource, Obstacle, what_follows
from morphene_core.delivery.versions import delivered_versions, delivering
from morphene_core.errors import InputError
from morphene_core.final_model import FinalModel
from morphene_core.gate import closed, criteria_of, evaluate, obstacles, require_open
from morphene_core.home import InstrumentPaths
from morphene_core.listening.states import standing
from morphene_core.metrics import METRICS
from morphene_core.profiles import load_profile
from morphene_core.selection import Selection
from morphene_core.sources.licences import known_terms
from morphene_core.stages import deliver, export
from morphene_core.training import current_training
from morphene_core.verdicts import CRITERIA, Verdict, record_verdict
from tests.constructed import BUILT_IN, an_audit
from tests.deliverable import SLUG, STEP, a_model, a_report, decide, make_deliverable, select

TODAY = date(2026, 11, 22)
STATES = {
    "approved": Approval("approved", "Ada approved it."),
    "rejected": Approval("rejected", "Ada rejected it."),
    "waiting": Approval("waiting", "It waits for ears."),
    "not asked": Approval("not asked", "Nobody gave a verdict."),
}
CHOSEN = Selection(100, "hash-100", "It is warm.", "2026-01-01T00:00:00+00:00")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> FinalModel:
    return a_model(tmp_path_factory.mktemp("exports") / "a.ts", "hash-100", 100)


@pytest.fixture
def paths(tmp_path: Path) -> InstrumentPaths:
    return make_deliverable(tmp_path / "home")


def judged(
    model: FinalModel | None, audit: Audit | None = None, state: str = "approved"
) -> dict[str, bool]:
    found = evaluate(SLUG, CHOSEN, audit or an_audit(100), BUILT_IN, model, STATES[state])
    assert tuple(found) == CRITERIA
    for name, criterion in found.items():
        assert (criterion.name, criterion.passed) == (name, not criterion.remedy)
        assert criterion.text and "\n" not in criterion.text + criterion.remedy
    return {name: criterion.passed for name, criterion in found.items()}


# The five criteria.

PLAYED = [("plays", True), ("too slow", False), ("machine busy", False), ("faulty", False)]
BAD = {name: 1.5 for name in CRITERIA[:3]}


@pytest.mark.parametrize("failing", [(), *((name,) for name in BAD), tuple(BAD)])
@pytest.mark.parametrize(("verdict", "plays"), PLAYED)
@pytest.mark.parametrize("state", STATES)
def test_each_criterion_is_judged_by_itself(
    tmp_path: Path, failing: tuple[str, ...], verdict: str, plays: bool, state: str
) -> None:
    audit = an_audit(100, **{name: BAD[name] for name in failing})
    model = a_model(tmp_path / "a.ts", "hash-100", 100, realtime=a_report(verdict).to_dict())
    expected = {name: name not in failing for name in BAD}
    expected |= {"real_time_playback": plays, "musicality": state == "approved"}
    assert judged(model, audit, state) == expected


def test_an_artifact_that_is_heard_fails_the_morph_and_nothing_else(model: FinalModel) -> None:
    heard = an_audit(100, morph_50={"frame_buzz": BUILT_IN.gates["frame_buzz"].audible * 1.1})
    found = judged(model, heard)
    assert [name for name, passed in found.items() if not passed] == ["morph_progression"]


def test_what_is_not_exported_or_audited_does_not_hold(model: FinalModel) -> None:
    assert [name for name, passed in judged(None).items() if not passed] == ["real_time_playback"]
    other_file = an_audit(100, checkpoint_sha256="another file")
    found = evaluate(SLUG, CHOSEN, None, BUILT_IN, model, STATES["approved"])
    assert [name for name, c in found.items() if not c.passed] == list(CRITERIA[:3])
    assert [n for n, passed in judged(model, other_file).items() if not passed] == list(
        CRITERIA[:3]
    )


def test_every_measured_number_is_in_the_criterion_that_it_belongs_to(model: FinalModel) -> None:
    found = evaluate(SLUG, CHOSEN, an_audit(100), BUILT_IN, model, STATES["approved"])
    for name in CRITERIA[:3]:
        numbers = {number.metric for number in found[name].numbers}
        assert numbers == {m.name for m in METRICS.values() if m.criterion == name}
    (block_time,) = found["real_time_playback"].numbers
    assert (block_time.value, block_time.passed, block_time.unit) == (20.0, True, "ms")
    assert block_time.threshold == pytest.approx(0.7 * 42.667)


# What stands in the way of a delivery.


def source(licence: str) -> LicensedSource:
    terms = known_terms(licence)
    assert terms
    return LicensedSource("Takes", "recorded", licence, "J.", terms)


def decided(*sources: str) -> Decision:
    return Decision("clear", "commercial", "Cleared.", "Bo", "2026-01-01T00:00:00", list(sources))


RIGHTS = {
    "none": None,
    "of other sources": decided("Fire (own)"),
    "of these": decided("Takes (own)", "Takes (CC-BY-NC-4.0)", "Takes (CC-BY-ND-4.0)"),
}


@pytest.mark.parametrize(
    ("shippable", "release", "failing", "state", "licence", "rights"),
    list(
        product(
            [True, False],
            ["commercial", "noncommercial"],
            [(), ("morph_progression",)],
            STATES,
            ["own", "CC-BY-NC-4.0", "CC-BY-ND-4.0"],
            RIGHTS,
        )
    ),
)
def test_what_ships_passes_all_five_and_has_the_rights_and_a_trial_only_must_not_be_rejected(
    model: FinalModel, shippable, release, failing, state, licence, rights
) -> None:
    audit = an_audit(100, **{name: 1.5 for name in failing})
    criteria = evaluate(SLUG, CHOSEN, audit, BUILT_IN, model, STATES[state])
    takes = source(licence)
    terms = what_follows([takes], release, TODAY)
    found = obstacles(
        SLUG, shippable, release, criteria, STATES[state], terms, [takes.title], RIGHTS[rights]
    )
    about = [
        ("morph", shippable and bool(failing)),
        ("Musicality", state != "approved" if shippable else state in ("rejected", "waiting")),
        ("no derivatives", licence == "CC-BY-ND-4.0"),
        (
            "non-commercial",
            shippable and release == "commercial" and licence == "CC-BY-NC-4.0",
        ),
        ("rights decision", shippable and release == "commercial" and rights != "of these"),
    ]
    expected = [what for what, stands in about if stands]
    assert len(found) == len(expected)
    for obstacle, what in zip(found, expected, strict=True):
        assert what.casefold() in obstacle.text.casefold()
        assert obstacle.remedy and "\n" not in obstacle.line


def test_a_closed_gate_lists_everything_a_line_each_with_its_remedy() -> None:
    require_open(SLUG, [])
    found = [Obstacle("It buzzes.", "Train anew."), Obstacle("Nobody listened.", "Listen.")]
    with pytest.raises(InputError) as error:
        require_open(SLUG, found)
    assert str(error.value).splitlines()[1:] == [
        "- It buzzes. Train anew.",
        "- Nobody listened. Listen.",
    ]


def test_each_obstacle_is_sentences_on_one_line_that_a_terminal_takes(model: FinalModel) -> None:
    said = Approval("rejected", "Ada rejected step 100 on 2026-01-04T10:00 UTC")
    criteria = evaluate(SLUG, CHOSEN, an_audit(100), BUILT_IN, model, said)
    takes = replace(source("CC-BY-ND-4.0"), name="Takes\n- \x1b[2J")
    terms = what_follows([takes], "noncommercial", TODAY)
    found = obstacles(SLUG, True, "noncommercial", criteria, said, terms, [takes.title], None)
    heading, musicality, licence = closed(SLUG, found).splitlines()
    assert musicality.startswith("- Musicality: Ada rejected step 100 on 2026-01-04T10:00 UTC. Cho")
    assert r"Takes\n- \x1b[2J" in licence
    assert heading.isprintable() and licence.isprintable()


# The same of a project folder.


def spoil_verdict(paths: InstrumentPaths) -> None:
    decide(paths, "rejected")


def damage_verdict(paths: InstrumentPaths) -> None:
    decide(paths, "rejected")
    path = paths.models / "verdicts.jsonl"
    path.write_bytes(path.read_bytes()[:-3])


def spoil_metrics(paths: InstrumentPaths) -> None:
    digest = current_training(paths).read().checkpoints[0].sha256
    select(paths, digest, musical_reconstruction=1.2, morph_progression=1.2)


def spoil_checkpoint(paths: InstrumentPaths) -> None:
    select(paths, "0" * 64)


def spoil_export(paths: InstrumentPaths) -> None:
    shrunk = a_report("too slow").to_dict()
    (record,) = paths.exports.glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"realtime": shrunk}))


def spoil_rights(paths: InstrumentPaths) -> None:
    paths.rights.unlink()


def spoil_licence(paths: InstrumentPaths) -> None:
    manifest = paths.manifest("musical")
    manifest.write_text(manifest.read_text().replace('licence = "own"', 'licence = "CC-BY-NC-4.0"'))


@pytest.mark.parametrize(
    ("spoil", "missing"),
    [
        (spoil_verdict, ["Ada rejected step"]),
        (damage_verdict, ["verdicts.jsonl, line 2, is damaged"]),
        (spoil_metrics, ["Musical reconstruction", "Morph progression"]),
        # Another file under the same step: nobody heard it. Its audit and export are of it.
        (spoil_checkpoint, ["waits for ears"]),
        (spoil_export, ["Real time playback"]),
        (spoil_rights, ["rights decision"]),
        (spoil_licence, ["non-commercial", "no text names its author", "does not cover"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_whatever_is_missing_is_listed_and_nothing_is_published(
    paths: InstrumentPaths, spoil: Callable[[InstrumentPaths], None], missing: list[str]
) -> None:
    assert candidate(paths).obstacles == []
    spoil(paths)
    with pytest.raises(InputError) as error:
        deliver(paths)
    lines = str(error.value).splitlines()[1:]
    assert len(lines) == len(missing)
    for line, what in zip(lines, missing, strict=True):
        assert what in line
    assert delivered_versions(paths) == []
    assert not paths.final.exists()


def test_after_a_damaged_line_the_verdict_is_given_again(paths: InstrumentPaths) -> None:
    damage_verdict(paths)
    (obstacle,) = candidate(paths).obstacles
    assert str(paths.models / "verdicts.jsonl") in obstacle.text
    assert f"`morphene listen {SLUG}`" in obstacle.line and "verdict" in obstacle.remedy
    assert standing(paths).waits and not standing(paths).problem
    decide(paths)
    assert candidate(paths).obstacles == []
    assert standing(paths).state == "approved"


def test_a_trial_of_which_nobody_knows_whether_it_was_rejected_waits(
    paths: InstrumentPaths,
) -> None:
    damage_verdict(paths)
    profile = load_profile("demo", paths.home / "profiles")
    digest = current_training(paths).read().checkpoint(STEP).sha256
    assert approval(paths, profile, STEP, digest).state == "waiting"


def test_notes_of_several_lines_are_one_line_of_the_gate(paths: InstrumentPaths) -> None:
    digest = current_training(paths).read().checkpoint(STEP).sha256
    notes, at = "It buzzes.\n\n  And hums.", "2026-01-05T10:00:00+00:00"
    record_verdict(paths, Verdict(SLUG, "t", STEP, digest, "rejected", {}, notes, "Ada", at))
    (obstacle,) = candidate(paths).obstacles
    assert "UTC. It buzzes. And hums." in obstacle.text


def test_a_closed_gate_is_said_before_anything_else_and_nothing_is_touched(
    paths: InstrumentPaths,
) -> None:
    decide(paths, "rejected")
    with pytest.raises(InputError, match="Ada rejected"):
        deliver(paths)
    assert not paths.deliveries.exists()
    with delivering(paths), pytest.raises(InputError, match="Ada rejected"):
        deliver(paths)


def test_the_checks_and_the_gate_say_the_same(paths: InstrumentPaths) -> None:
    spoil_metrics(paths)
    assert criteria_of(paths) == candidate(paths).criteria


def test_other_weights_under_the_name_of_the_selected_checkpoint_are_not_exported(
    paths: InstrumentPaths,
) -> None:
    for take in references(current_training(paths)).values():
        write_wav(take, np.zeros(4800, np.float32))
    (record,) = paths.exports.glob("*.json")
    record.unlink()
    (checkpoint,) = paths.checkpoints.glob("*.pt")
    for spoil in (lambda: checkpoint.write_bytes(b"other weights"), checkpoint.unlink):
        spoil()
        with pytest.raises(InputError, match="not what was audited and selected"):
            export(paths)
