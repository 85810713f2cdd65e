"""Thresholds from verdicts."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.audits import Audit
from morphene_core.criteria import Thresholds, judge, load_thresholds
from morphene_core.criteria.calibration import Row, calibrate, collect, write_thresholds
from morphene_core.errors import InputError
from morphene_core.home import Home
from morphene_core.metrics import METRICS
from morphene_core.verdicts import Verdict, record_verdict
from tests.constructed import BUILT_IN, a_training, a_verdict, an_audit

F0, MONOTONICITY = "musical_f0_error", "morph_monotonicity"
Values = Sequence[float | None]


def pairs(metric: str, good: Values, bad: Values) -> list[tuple[Audit, Verdict]]:
    """Return audits with these values and verdicts that call them good or usable, and bad."""
    criterion = METRICS[metric].criterion
    ratings = [*(("good", "usable")[i % 2] for i in range(len(good))), *["bad"] * len(bad)]
    audits = [an_audit(step, **{metric: value}) for step, value in enumerate([*good, *bad], 1)]
    return [(a, a_verdict(a, **{criterion: r})) for a, r in zip(audits, ratings, strict=True)]


def row(metric: str, good: Values, bad: Values, thresholds: Thresholds = BUILT_IN) -> Row:
    rows = calibrate(pairs(metric, good, bad), thresholds)
    assert [row.metric for row in rows] == list(METRICS)
    return next(row for row in rows if row.metric == metric)


def test_a_threshold_lies_between_good_and_bad() -> None:
    result = row(F0, [2, 4, 6, 8, 11], [32, 40, 50, 60, 70, 80])
    assert result.new
    assert result.old == BUILT_IN.metrics[F0]
    assert (result.new.value, result.new.weight) == (22, result.old.weight)
    assert not result.new.provisional
    assert (result.good, result.bad) == (5, 6)
    assert "5 good or usable and 6 bad" in result.reason
    calibrated = result.new.calibrated
    assert calibrated
    assert (calibrated.before, calibrated.audits, calibrated.verdicts) == (25, 11, 11)


def test_of_a_metric_that_is_better_higher_the_threshold_lies_between_too() -> None:
    result = row(MONOTONICITY, [0.99, 0.95, 0.94, 0.93, 0.92], [0.5, 0.4, 0.7, 0.6, 0.8])
    assert result.new
    assert result.new.value == 0.86


@given(
    good=st.lists(st.floats(1, 20), min_size=5, max_size=12),
    bad=st.lists(st.floats(21, 90), min_size=5, max_size=12),
)
def test_what_is_told_apart_is_judged_right_with_the_new_threshold(
    good: list[float], bad: list[float]
) -> None:
    result = row(F0, good, bad)
    assert result.new
    metrics = BUILT_IN.metrics | {F0: result.new}
    thresholds = BUILT_IN.model_copy(update={"metrics": metrics})
    for value in (*good, *bad):
        judged = judge(an_audit(**{F0: value}), thresholds)["musical_reconstruction"]
        assert judged.passed == (value in good)


@given(
    values=st.lists(st.tuples(st.floats(0.5, 90), st.booleans()), min_size=10, max_size=24),
)
def test_no_other_threshold_tells_more_apart(values: list[tuple[float, bool]]) -> None:
    good = [value for value, is_good in values if is_good]
    bad = [value for value, is_good in values if not is_good]
    result = row(F0, good, bad)

    def accuracy(threshold: float) -> float:
        passed = sum(value <= threshold for value in good) / len(good)
        return (passed + sum(value > threshold for value in bad) / len(bad)) / 2

    if result.new:
        best = max(accuracy(threshold) for threshold, _ in values)
        assert accuracy(result.new.value) == pytest.approx(best)
        assert result.new.calibrated
        assert result.new.calibrated.accuracy == pytest.approx(best, abs=1e-3)


@pytest.mark.parametrize(("good", "bad"), [(4, 20), (20, 4), (0, 0), (0, 20)])
def test_with_fewer_than_five_on_a_side_the_threshold_is_kept(good: int, bad: int) -> None:
    result = row(F0, [5.0 + i / 10 for i in range(good)], [50.0 + i for i in range(bad)])
    assert result.new is None
    assert f"{good} good or usable and {bad} bad verdicts: it takes 5 of each" in result.reason


def test_a_metric_that_says_nothing_keeps_its_threshold() -> None:
    result = row(F0, [10, 20, 30, 40, 50, 60], [12, 18, 33, 41, 52, 57])
    assert result.new is None
    assert "6 bad verdicts: the metric does not tell them apart (p = " in result.reason


def test_a_metric_that_is_the_wrong_way_round_keeps_its_threshold() -> None:
    assert row(F0, [50, 60, 70, 80, 90], [1, 2, 3, 4, 5]).new is None


def test_values_that_are_all_alike_keep_the_threshold() -> None:
    assert row(F0, [10.0] * 6, [10.0] * 6).new is None


def test_one_odd_ear_does_not_move_a_threshold_far() -> None:
    result = row(F0, [2, 4, 5, 6, 7, 8, 9, 45], [15, 30, 35, 40, 50, 60, 70])
    assert result.new
    assert result.new.value == 12


def test_what_could_not_be_measured_counts_as_worse_than_anything() -> None:
    result = row(F0, [2, 4, 6, 8, 30], [None] * 5)
    assert result.new
    assert result.new.value == 30
    assert row(F0, [2, 4, 6, 8, 10], [None] * 5).new.value == 25  # type: ignore[union-attr]


def test_a_threshold_never_leaves_the_worse_side_of_a_perfect_value() -> None:
    result = row("musical_timbre_mmd", [-0.5, -0.4, -0.35, -0.33, -0.3], [-0.2, -0.1, 0, 0, 0])
    assert result.new is None
    assert "only perfect values" in result.reason


def test_a_criterion_that_nobody_rated_keeps_its_thresholds() -> None:
    rows = calibrate(pairs(F0, [1, 2, 3, 4, 5], [50, 51, 52, 53, 54]), BUILT_IN)
    for other in (row for row in rows if METRICS[row.metric].criterion != METRICS[F0].criterion):
        assert (other.new, other.good, other.bad) == (None, 0, 0)


def test_audits_of_other_measurements_are_passed_over() -> None:
    old = [
        (Audit(**vars(audit) | {"version": "0"}), verdict)
        for audit, verdict in pairs(F0, [1, 2, 3, 4, 5], [50, 51, 52, 53, 54])
    ]
    assert all((row.good, row.bad) == (0, 0) for row in calibrate(old, BUILT_IN))


def own(home: Path, text: str) -> None:
    (home / "criteria.toml").write_text(text)


def separated_pairs() -> list[tuple[Audit, Verdict]]:
    return pairs(F0, [2, 4, 6, 8, 11], [32, 40, 50, 60, 70])


def separated() -> list[Row]:
    return calibrate(separated_pairs(), BUILT_IN)


def test_written_thresholds_are_loaded_and_are_no_longer_provisional(tmp_path: Path) -> None:
    rows = separated()
    assert write_thresholds(tmp_path, rows) == tmp_path / "criteria.toml"
    loaded = load_thresholds(tmp_path)
    by_metric = {row.metric: row for row in rows}
    assert loaded.metrics[F0] == by_metric[F0].new
    kept = {name for name, row in by_metric.items() if row.new is None}
    assert kept == METRICS.keys() - {F0}
    assert all(loaded.metrics[name] == BUILT_IN.metrics[name] for name in kept)
    entry = tomllib.loads((tmp_path / "criteria.toml").read_text())["metrics"][F0]
    assert entry["calibrated"]["before"] == BUILT_IN.metrics[F0].value


def test_calibrating_twice_with_the_same_verdicts_changes_nothing_the_second_time(
    tmp_path: Path,
) -> None:
    write_thresholds(tmp_path, separated())
    before = (tmp_path / "criteria.toml").read_bytes()
    again = calibrate(pairs(F0, [2, 4, 6, 8, 11], [32, 40, 50, 60, 70]), load_thresholds(tmp_path))
    assert write_thresholds(tmp_path, again) is None
    assert (tmp_path / "criteria.toml").read_bytes() == before


def test_what_people_wrote_into_the_file_stays(tmp_path: Path) -> None:
    pitch = "[metrics.musical_f0_error]\nweight = 3 # pitch is all\n"
    own(tmp_path, f"# Ours.\n{pitch}\n[gates.clicks]\nlimit = 9\n")
    write_thresholds(tmp_path, calibrate(separated_pairs(), load_thresholds(tmp_path)))
    text = (tmp_path / "criteria.toml").read_text()
    assert "# Ours." in text
    assert "# pitch is all" in text
    loaded = load_thresholds(tmp_path)
    assert (loaded.metrics[F0].weight, loaded.metrics[F0].value) == (3, 22)
    assert loaded.gates["clicks"].limit == 9


def test_nothing_is_written_where_nothing_changes(tmp_path: Path) -> None:
    assert write_thresholds(tmp_path, calibrate([], BUILT_IN)) is None
    assert not (tmp_path / "criteria.toml").exists()


def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    own(tmp_path, "[metrics")
    with pytest.raises(InputError, match=r"criteria\.toml is not valid TOML"):
        write_thresholds(tmp_path, separated())
    assert (tmp_path / "criteria.toml").read_text() == "[metrics"


def test_thresholds_of_other_measurements_are_passed_over(tmp_path: Path) -> None:
    write_thresholds(tmp_path, separated())
    file = tmp_path / "criteria.toml"
    text = file.read_text()
    assert text.count("metrics_version") == 1
    file.write_text(text.replace('metrics_version = "', 'metrics_version = "before '))
    assert load_thresholds(tmp_path) == BUILT_IN


def test_verdicts_and_audits_of_all_instruments_are_collected(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for slug, rating in (("pyroviolin", "good"), ("keelson", "bad")):
        paths = home.instrument(slug)
        heard, unheard = (an_audit(s, checkpoint_sha256=f"hash-{s}") for s in (100, 200))
        a_training(paths.training("t"), heard, unheard, unaudited=(300,))
        for last in ("usable", rating):
            record_verdict(paths, a_verdict(heard, musical_reconstruction=last))
        gone = an_audit(400)
        record_verdict(paths, a_verdict(gone, musical_reconstruction="bad"))
    found = collect(home)
    assert [(a.step, v.criteria["musical_reconstruction"]) for a, v in found] == [
        (100, "bad"),
        (100, "good"),
    ]


def test_a_home_in_which_nobody_listened_yields_nothing(tmp_path: Path) -> None:
    assert collect(Home(tmp_path)) == []
    a_training(Home(tmp_path).instrument("pyroviolin").training("t"), an_audit())
    assert collect(Home(tmp_path)) == []
