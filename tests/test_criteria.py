"""What passes, what fails, and how bad it is."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.audits import RENDER_NAMES
from morphene_core.criteria import (
    MEASURED,
    audible_artifacts,
    faults,
    in_words,
    judge,
    load_thresholds,
)
from morphene_core.errors import InputError
from morphene_core.metrics import ARTIFACTS, METRICS
from tests.constructed import BUILT_IN, SOUND, an_audit, part_of

SCORED = [name for name in METRICS if BUILT_IN.metrics[name].weight]


def score(**changes: object) -> float:
    return sum(result.score for result in judge(an_audit(**changes), BUILT_IN).values())


def test_every_metric_and_artifact_has_a_threshold_with_a_reason_of_its_own() -> None:
    assert BUILT_IN.metrics.keys() == METRICS.keys()
    assert BUILT_IN.gates.keys() == ARTIFACTS.keys()
    reasons = [entry.reason for entry in (*BUILT_IN.metrics.values(), *BUILT_IN.gates.values())]
    assert len(set(reasons)) == len(reasons)
    assert {metric.criterion for metric in METRICS.values()} == set(MEASURED)


def test_morphenes_own_thresholds_are_provisional_and_every_text_says_so() -> None:
    assert all(threshold.provisional for threshold in BUILT_IN.metrics.values())
    for badness in (0.5, 2.0):
        for result in judge(an_audit(badness=badness), BUILT_IN).values():
            assert result.provisional
            assert "provisional" in result.text
            assert "\n" not in result.text


def test_the_spectral_distance_must_hold_and_has_no_say_in_the_score() -> None:
    name = "musical_spectral_distance"
    near, far = (judge(an_audit(**{name: part_of(name, b)}), BUILT_IN) for b in (0.1, 1.2))
    assert near["musical_reconstruction"].passed
    assert not far["musical_reconstruction"].passed
    assert near["musical_reconstruction"].score == far["musical_reconstruction"].score


@pytest.mark.parametrize("name", METRICS)
def test_a_value_at_its_threshold_passes_and_one_beyond_it_fails_by_name(name: str) -> None:
    criterion = METRICS[name].criterion
    at = judge(an_audit(**{name: part_of(name, 1.0)}), BUILT_IN)[criterion]
    beyond = judge(an_audit(**{name: part_of(name, 1.01)}), BUILT_IN)[criterion]
    assert at.passed
    assert not beyond.passed
    assert METRICS[name].title in beyond.text
    assert [number.metric for number in beyond.numbers if not number.passed] == [name]


# None of these two says that the reference has no pitch, or a level that never moves.
OF_THE_REFERENCE = ("musical_f0_error", "musical_loudness_correlation")
MEASURABLE = [name for name in METRICS if name not in OF_THE_REFERENCE]


@pytest.mark.parametrize("name", OF_THE_REFERENCE)
def test_what_the_reference_does_not_have_is_left_out(name: str) -> None:
    result = judge(an_audit(badness=0.5, **{name: None}), BUILT_IN)["musical_reconstruction"]
    assert result.passed
    assert name not in [number.metric for number in result.numbers]
    assert result.score == pytest.approx(0.5)


@pytest.mark.parametrize("name", MEASURABLE)
@pytest.mark.parametrize("value", [None, math.nan])
def test_what_could_not_be_measured_fails_and_says_so(name: str, value: float | None) -> None:
    result = judge(an_audit(**{name: value}), BUILT_IN)[METRICS[name].criterion]
    assert not result.passed
    assert f"{METRICS[name].title} not measurable" in result.text
    assert math.isfinite(result.score)


def test_a_metric_that_an_audit_does_not_have_fails() -> None:
    audit = an_audit()
    del audit.metrics["morph_dropouts"]
    assert not judge(audit, BUILT_IN)["morph_progression"].passed


@given(badness=st.floats(0, 1))
def test_the_score_is_0_for_the_reference_itself_and_1_at_the_thresholds(badness: float) -> None:
    for result in judge(an_audit(badness=badness), BUILT_IN).values():
        assert result.score == pytest.approx(badness, abs=1e-9)
        assert result.passed


@given(name=st.sampled_from(SCORED), pair=st.tuples(st.floats(0, 90), st.floats(0, 90)))
def test_the_worse_a_value_the_higher_the_score(name: str, pair: tuple[float, float]) -> None:
    less, more = sorted(pair)
    lower, higher = (score(**{name: part_of(name, badness)}) for badness in (less, more))
    unmeasured = score(**{name: math.nan})
    assert lower <= higher < unmeasured
    if more - less > 1e-6 * (1 + more):
        assert lower < higher


@given(
    name=st.sampled_from(SCORED),
    value=st.floats(allow_nan=True, allow_infinity=True) | st.none(),
)
def test_no_single_value_makes_a_score_that_cannot_be_compared(
    name: str, value: float | None
) -> None:
    assert 0 <= score(**{name: value}) <= score(**{name: math.nan})


def test_better_than_the_reference_is_no_better_than_perfect() -> None:
    assert score(musical_timbre_mmd=-0.1) == score(musical_timbre_mmd=0.0)


def test_a_clean_audit_has_no_faults() -> None:
    assert faults(an_audit(), BUILT_IN) == []


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_fault_names_its_render_and_the_number(name: str) -> None:
    value = 3.14 * BUILT_IN.gates[name].limit + 17
    lines = faults(an_audit(morph_50={name: value}), BUILT_IN)
    assert len(lines) == 1
    assert lines[0].startswith(f"{ARTIFACTS[name].title} in morph_50 (")
    assert in_words(value, ARTIFACTS[name].unit).split()[0] in lines[0]
    assert ("provisional" in lines[0]) == BUILT_IN.gates[name].provisional


def test_an_artifact_that_is_heard_is_no_fault_before_its_limit() -> None:
    gate = BUILT_IN.gates["frame_buzz"]
    buzzing = an_audit(morph_50={"frame_buzz": (gate.audible + gate.limit) / 2})
    assert faults(buzzing, BUILT_IN) == []
    (line,) = audible_artifacts(buzzing, BUILT_IN)
    assert "buzz at the frame rate in morph_50" in line
    assert audible_artifacts(an_audit(), BUILT_IN) == []


def test_a_fault_of_several_renders_is_one_line_that_names_them() -> None:
    audit = an_audit(morph_00={"silent": 1.0}, musical_recon={"silent": 0.95})
    assert faults(audit, BUILT_IN) == [
        "silent in musical_recon (95 % of time), morph_00 (100 % of time): over 90 % of time,"
        " the limit"
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_fault_that_has_no_number_is_one(value: float) -> None:
    assert faults(an_audit(morph_50={"dc_offset": value}), BUILT_IN)


def test_a_render_that_was_not_measured_is_a_fault() -> None:
    audit = an_audit(artifacts={name: SOUND for name in RENDER_NAMES if name != "morph_75"})
    assert all("morph_75" in line for line in faults(audit, BUILT_IN))
    assert len(faults(audit, BUILT_IN)) == len(ARTIFACTS)


def own(home: Path, text: str) -> Path:
    (home / "criteria.toml").write_text(text)
    return home


def test_a_project_folder_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    thresholds = load_thresholds(
        own(tmp_path, "[metrics.musical_f0_error]\nvalue = 40\n[gates.clicks]\nlimit = 9\n")
    )
    changed, before = thresholds.metrics["musical_f0_error"], BUILT_IN.metrics["musical_f0_error"]
    assert (changed.value, changed.weight, changed.provisional) == (40, before.weight, True)
    assert changed.reason == "Set by hand."
    assert thresholds.gates["clicks"].limit == 9
    rest = METRICS.keys() - {"musical_f0_error"}
    assert all(thresholds.metrics[name] == BUILT_IN.metrics[name] for name in rest)
    assert thresholds.version != BUILT_IN.version


def test_a_project_folder_without_thresholds_has_morphenes(tmp_path: Path) -> None:
    assert load_thresholds(tmp_path) == load_thresholds(None) == BUILT_IN
    assert load_thresholds(tmp_path).version == BUILT_IN.version


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[metrics.f0]\nvalue = 1\n", "there is no metrics.f0"),
        ("[limits.clicks]\nlimit = 1\n", "'limits' is unknown"),
        ("metrics = 3\n", "'metrics' is unknown"),
        ("[metrics]\nmusical_f0_error = 40\n", "there is no metrics.musical_f0_error"),
        ("[metrics.musical_f0_error]\nvalue = 'low'\n", "metrics.musical_f0_error.value"),
        ("[metrics.musical_f0_error]\nvalue = nan\n", "metrics.musical_f0_error.value"),
        ("[metrics.musical_f0_error]\nlimit = 4\n", "metrics.musical_f0_error.limit"),
        ("[metrics.musical_f0_error]\nvalue = 0\n", "must lie above 0.0"),
        ("[metrics.morph_monotonicity]\nvalue = 1.5\n", "must lie below 1.0"),
        ("[gates.clicks]\nlimit = inf\n", "gates.clicks.limit"),
        ("[metrics.musical_f0_error\n", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_named_with_its_entry(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"criteria\.toml") as error:
        load_thresholds(own(tmp_path, text))
    assert message in str(error.value)


def test_a_criterion_in_which_nothing_counts_is_refused(tmp_path: Path) -> None:
    names = [name for name in METRICS if name.startswith("nonmusical_")]
    text = "".join(f"[metrics.{name}]\nweight = 0\n" for name in names)
    with pytest.raises(InputError, match="all weights of nonmusical_reconstruction are 0"):
        load_thresholds(own(tmp_path, text))


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (23.444, "cents", "23.4 cents"),
        (1234.5, "cents", "1,234 cents"),
        (0.0123, "share of frames", "1.23 % of frames"),
        (-0.000123, "", "-0.000123"),
        (2, "per second", "2 per second"),
        (None, "cents", "not measurable"),
    ],
)
def test_numbers_are_told_in_their_units(value: float | None, unit: str, words: str) -> None:
    assert in_words(value, unit) == words
