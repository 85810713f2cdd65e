"""Which checkpoint comes first, what a person's choice does, and when training no longer helps."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.audio.spectral import spectral_distance
from morphene_core.audio.wav import Mono
from morphene_core.audits import RENDER_NAMES, Audit
from morphene_core.criteria import MEASURED, Calibrated, Thresholds
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import write_json
from morphene_core.metrics import (
    METRICS_VERSION,
    MorphReference,
    MusicalReference,
    TextureReference,
    artifacts,
)
from morphene_core.selection import (
    Place,
    Ranking,
    choose_checkpoint,
    rank,
    read_choices,
    read_selection,
    select_checkpoint,
    standing_choice,
    withdraw_choice,
)
from morphene_core.selection.plateau import find_plateau
from morphene_core.synthesis import fire_takes, violin_takes
from tests import damage
from tests.constructed import BUILT_IN, a_training, an_audit, part_of

CALIBRATED = Calibrated(
    at="2026-01-01", before=1.0, audits=20, verdicts=20, good=10, bad=10, accuracy=0.9,
    metrics_version=METRICS_VERSION,
)  # fmt: skip


def confirmed(*metrics: str) -> Thresholds:
    """Return thresholds of which some are confirmed by verdicts."""
    changed = {
        n: BUILT_IN.metrics[n].model_copy(update={"calibrated": CALIBRATED}) for n in metrics
    }
    return BUILT_IN.model_copy(update={"metrics": BUILT_IN.metrics | changed})


def steps(ranking: Ranking) -> list[int]:
    return [place.step for place in ranking.places]


def ranked(*audits: Audit) -> Ranking:
    return rank(audits, BUILT_IN)


BADNESS = st.floats(0.0, 5.0)


@st.composite
def audits(draw: st.DrawFn) -> list[Audit]:
    """Draw the audits of a training: some alike, some faulty."""
    drawn = []
    for step in range(100, 100 * draw(st.integers(2, 8)), 100):
        scores = draw(st.tuples(BADNESS, BADNESS, BADNESS) | st.just((1.0, 1.0, 1.0)))
        faulty = {"morph_50": {"clipped": 0.5}} if draw(st.integers(0, 3)) == 0 else {}
        phase = draw(st.sampled_from([1, 2]))
        drawn.append(an_audit(step, phase, **dict(zip(MEASURED, scores, strict=True)), **faulty))
    return drawn


THRESHOLDS = st.sampled_from(
    [BUILT_IN, confirmed("musical_f0_error"), confirmed("morph_dropouts", "nonmusical_onset_error")]
)


def beats(a: Place, b: Place) -> bool:
    """Whether a is as good as b in every criterion, by score and by confirmed failure."""
    keys = [
        [(place.results[name].surely_failed, place.results[name].score) for name in MEASURED]
        for place in (a, b)
    ]
    return keys[0] != keys[1] and all(x <= y for x, y in zip(*keys, strict=True))


@given(audits(), THRESHOLDS)
def test_no_checkpoint_beats_one_on_its_own_or_an_earlier_front(
    some: list[Audit], thresholds: Thresholds
) -> None:
    sound = [place for place in rank(some, thresholds).places if not place.faults]
    for a in sound:
        for b in sound:
            assert a.front and b.front
            if a.front >= b.front:
                assert not beats(a, b)


@given(audits())
def test_each_checkpoint_behind_the_first_front_is_beaten_by_one_on_the_front_before(
    some: list[Audit],
) -> None:
    sound = [place for place in ranked(*some).places if not place.faults]
    for place in sound:
        if place.front != 1:
            before = [other for other in sound if other.front == (place.front or 0) - 1]
            assert any(beats(other, place) for other in before)


@given(audits(), THRESHOLDS, st.randoms())
def test_the_order_of_the_audits_does_not_matter(
    some: list[Audit], thresholds: Thresholds, chance: object
) -> None:
    shuffled = list(some)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank(some, thresholds) == rank(shuffled, thresholds)


@given(audits(), THRESHOLDS)
def test_all_are_placed_once_and_faulty_ones_come_last(
    some: list[Audit], thresholds: Thresholds
) -> None:
    ranking = rank(some, thresholds)
    assert sorted(steps(ranking)) == [audit.step for audit in some]
    assert [place.number for place in ranking.places] == list(range(1, len(some) + 1))
    out = [bool(place.faults) for place in ranking.places]
    assert out == sorted(out)
    assert (ranking.first is None) == all(out)
    assert all(place.front for place in ranking.places if not place.faults)


@given(audits(), THRESHOLDS)
def test_nothing_sound_fails_fewer_confirmed_criteria_than_the_first(
    some: list[Audit], thresholds: Thresholds
) -> None:
    def failures(place: Place) -> int:
        return sum(result.surely_failed for result in place.results.values())

    ranking = rank(some, thresholds)
    if first := ranking.first:
        sound = [place for place in ranking.places if not place.faults]
        assert failures(first) == min(map(failures, sound))
        assert first.distance == min(p.distance for p in sound if failures(p) == failures(first))


@given(audits())
def test_the_best_of_each_phase_is_named(some: list[Audit]) -> None:
    ranking = ranked(*some)
    for phase in (1, 2):
        of_it = [p for p in ranking.places if p.phase == phase and not p.faults]
        assert ranking.champions.get(phase) == (of_it[0] if of_it else None)


@given(audits())
def test_a_ranking_is_explained_in_words(some: list[Audit]) -> None:
    ranking = ranked(*some)
    assert ranking.reason.endswith(".")
    assert "nan" not in ranking.reason
    if ranking.first:
        assert f"Step {ranking.first.step:,}" in ranking.reason
        assert "provisional" in ranking.reason


def test_nothing_audited_is_an_empty_ranking() -> None:
    ranking = ranked()
    assert (ranking.places, ranking.first, ranking.champions) == ((), None, {})


def test_provisional_thresholds_do_not_overrule_the_distance_and_confirmed_ones_do() -> None:
    near = an_audit(100, badness=0.4, musical_f0_error=part_of("musical_f0_error", 1.01))
    far = an_audit(200, badness=0.6)
    assert steps(rank([near, far], BUILT_IN)) == [100, 200]
    assert steps(rank([near, far], confirmed("morph_dropouts"))) == [100, 200]
    assert steps(rank([near, far], confirmed("musical_f0_error"))) == [200, 100]


def test_the_spectral_distance_has_no_say_even_if_its_threshold_is_confirmed() -> None:
    blurred = an_audit(100, 1, badness=0.6)
    sharp = an_audit(200, 2, badness=0.5, musical_spectral_distance=9.0)
    ranking = rank([blurred, sharp], confirmed("musical_spectral_distance"))
    assert steps(ranking) == [200, 100]
    assert not ranking.places[0].results["musical_reconstruction"].passed


def test_of_two_alike_the_later_comes_first() -> None:
    assert steps(ranked(an_audit(100), an_audit(200))) == [200, 100]


def test_a_checkpoint_that_is_good_throughout_goes_before_one_with_a_weak_criterion() -> None:
    even = an_audit(100, badness=0.6)
    lopsided = an_audit(200, badness=0.3, morph_progression=1.2)
    ranking = ranked(even, lopsided)
    assert [place.front for place in ranking.places] == [1, 1]
    assert steps(ranking) == [100, 200]


def test_the_reason_names_the_numbers_that_decide() -> None:
    ranking = ranked(
        an_audit(100_000, 1, musical_f0_error=21.0, morph_dropouts=0.001),
        an_audit(250_000, 2, musical_f0_error=12.0, morph_dropouts=0.002),
        an_audit(300_000, 2, morph_50={"non_finite": 3.0}),
    )
    for sentence in (
        "Step 250,000, of the adversarial phase, is first of 2 (distance ",
        "2 of them are not beaten in every criterion by another.",
        "It holds 3 of 3 criteria by provisional thresholds.",
        "better in pitch error (12 cents, not 21 cents); worse in dropouts (0.2 % of frames, not",
        "Best of the first phase: step 100,000 (",
        "Left out for faults: step 300,000.",
    ):
        assert sentence in ranking.reason


def test_the_reason_says_when_the_runner_up_is_hardly_different() -> None:
    words = "which is hardly different as a whole"
    assert words in ranked(an_audit(100, badness=0.5), an_audit(200, badness=0.51)).reason
    assert words not in ranked(an_audit(100, badness=0.5), an_audit(200, badness=0.6)).reason


def test_a_metric_that_only_one_of_two_has_does_not_stop_the_words() -> None:
    with_pitch = an_audit(100, badness=0.5)
    without = an_audit(200, badness=0.4, musical_f0_error=None)
    for some in ((with_pitch, without), (without, with_pitch)):
        assert "Against the runner-up, step 100" in ranked(*some).reason


def test_the_reason_names_the_criteria_that_are_missed() -> None:
    reason = ranked(an_audit(musical_f0_error=900.0, morph_dropouts=0.5)).reason
    assert "is the only sound checkpoint" in reason
    assert "missed: musical reconstruction (pitch error), morph progression (dropouts)." in reason


def test_a_blurred_checkpoint_with_the_least_spectral_distance_does_not_come_first() -> None:
    blurred = an_audit(100, 1, musical_spectral_distance=0.6, musical_timbre_mmd=0.3)
    sharp = an_audit(200, 2, musical_spectral_distance=1.3, musical_timbre_mmd=0.01)
    ranking = ranked(blurred, sharp)
    assert steps(ranking) == [200, 100]
    assert (
        "The spectral distance is better at step 100 (0.6, here 1.3), which has no say in the order"
    ) in ranking.reason


@pytest.fixture(scope="module")
def recordings() -> tuple[Mono, Mono]:
    """Return three seconds of violin and of fire."""
    violin, fire = (next(iter(takes(24))).audio for takes in (violin_takes, fire_takes))
    return violin[: 3 * damage.RATE], fire[: 3 * damage.RATE]


def measured(recordings: tuple[Mono, Mono], renders: Sequence[Mono], **of: int) -> Audit:
    """Return the audit of a model that makes this of a violin and a fire, and fades between."""
    path = [damage.crossfade(*renders, amount) for amount in np.linspace(0, 1, 21)]
    metrics = MusicalReference(recordings[0]).compare(renders[0])
    metrics |= TextureReference(recordings[1]).compare(renders[1])
    metrics |= MorphReference(*recordings).compare(path)[0]
    audible = dict(zip(RENDER_NAMES, [*renders, *path[::5]], strict=True))
    found = {name: artifacts(audio, 2048) for name, audio in audible.items()}
    return an_audit(**of, artifacts=found, **metrics)


@pytest.mark.parametrize(("strength", "deviation"), [(1.0, 2.0), (2.0, 3.0)])
def test_the_sharp_goes_before_the_blurred_that_the_spectral_distance_prefers(
    recordings: tuple[Mono, Mono], strength: float, deviation: float
) -> None:
    blurred = [damage.blur(audio, strength) for audio in recordings]
    sharp = [damage.phase_deviations(audio, deviation) for audio in recordings]
    for reference, soft, clear in zip(recordings, blurred, sharp, strict=True):
        assert spectral_distance(reference, soft) < spectral_distance(reference, clear)
    ranking = ranked(
        measured(recordings, blurred, step=100, phase=1),
        measured(recordings, sharp, step=200, phase=2),
    )
    assert steps(ranking) == [200, 100]
    assert not any(place.faults for place in ranking.places)
    assert "The spectral distance is better at step 100" in ranking.reason


def test_audits_of_other_references_or_measurements_are_left_out() -> None:
    same = [an_audit(step, badness=0.5) for step in (100, 200)]
    other = an_audit(300, badness=0.1, references_sha256={"musical": "x", "nonmusical": "y"})
    older = an_audit(400, badness=0.1, version="0")
    ranking = ranked(*same, other, older)
    assert steps(ranking)[:2] == [200, 100]
    assert all("audit it anew" in place.faults[0] for place in ranking.places[2:])


# Plateaus


def plateau(*distances: float) -> str:
    return find_plateau([(100 * i, d) for i, d in enumerate(distances, 1)]).state


def test_it_takes_six_adversarial_checkpoints_to_know_a_plateau() -> None:
    assert plateau(*[0.5] * 5) == "unknown"
    assert plateau(*[0.5] * 6) == "reached"
    early = find_plateau([(100, 0.5)])
    assert "Not yet known" in early.text
    assert early.improvement is None


def test_distances_that_keep_falling_are_no_plateau() -> None:
    assert plateau(*[1.0 - 0.05 * i for i in range(10)]) == "improving"


def test_distances_that_rise_again_are_one() -> None:
    assert plateau(0.9, 0.6, 0.5, 0.5, 0.6, 0.7, 0.8) == "reached"


@given(st.lists(st.floats(-0.015, 0.015), min_size=6, max_size=20), st.floats(0.1, 3.0))
def test_noise_around_a_level_is_a_plateau(noise: list[float], level: float) -> None:
    assert plateau(*[level + x for x in noise]) == "reached"


@given(st.integers(0, 11), st.floats(0.0, 5.0))
def test_a_single_lucky_or_broken_checkpoint_decides_nothing(place: int, value: float) -> None:
    flat = [0.5] * 12
    falling = [1.5 - 0.1 * i for i in range(12)]
    flat[place] = value
    falling[place] = value
    assert plateau(*flat) == "reached"
    assert plateau(*falling) == "improving"


def test_broken_checkpoints_are_no_improvement() -> None:
    broken = float("inf")
    assert plateau(0.5, 0.5, 0.5, 0.5, broken, broken, broken, broken) == "reached"
    assert plateau(*[broken] * 8) == "unknown"


def test_only_the_adversarial_phase_makes_a_plateau() -> None:
    first = [an_audit(step, 1, badness=0.9) for step in range(100, 900, 100)]
    second = [an_audit(step, 2, badness=1 - step / 4000) for step in range(900, 1900, 100)]
    assert ranked(*first).plateau.state == "unknown"
    still = ranked(*first, *second).plateau
    assert still.state == "improving"
    assert "from step 1,500 on the distance is 0.57 at best, and was 0.65 before" in still.text
    over = ranked(*first, *second, *(an_audit(s, 2, badness=0.6) for s in range(1900, 2300, 100)))
    assert over.plateau.state == "reached"
    assert "no longer helps" in over.plateau.text


# The record


def test_the_first_of_the_ranking_is_selected_and_recorded(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100, 1, badness=0.9), an_audit(200, 2, badness=0.5))
    chosen = select_checkpoint(folder, BUILT_IN)
    assert (chosen.step, chosen.checkpoint_sha256, chosen.by) == (200, "hash-200", "ranking")
    assert "step 100 (0.90)" in chosen.reason
    assert chosen.ranking_version == ranked().version
    assert read_selection(folder) == chosen


def test_selecting_again_changes_nothing(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100))
    before = select_checkpoint(folder, BUILT_IN)
    file = folder.selection.stat()
    assert select_checkpoint(folder, BUILT_IN) == before
    assert folder.selection.stat().st_ino == file.st_ino


def test_a_checkpoint_that_stays_first_keeps_the_time_of_its_selection(tmp_path: Path) -> None:
    first = an_audit(100, badness=0.5)
    folder = a_training(tmp_path, first)
    select_checkpoint(folder, BUILT_IN)
    record = json.loads(folder.selection.read_text()) | {"chosen_at": "2020-01-01T00:00:00+00:00"}
    write_json(folder.selection, record)
    a_training(tmp_path, first, an_audit(200, badness=0.6))
    again = select_checkpoint(folder, BUILT_IN)
    assert (again.step, again.chosen_at) == (100, "2020-01-01T00:00:00+00:00")
    assert "runner-up, step 200" in again.reason
    a_training(tmp_path, first, an_audit(200, badness=0.4))
    assert select_checkpoint(folder, BUILT_IN).chosen_at > "2026"


def test_a_selection_of_an_older_version_can_be_read(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100))
    old = {"step": 100, "checkpoint_sha256": "hash-100", "reason": "Newest.", "chosen_at": "then"}
    write_json(folder.selection, old)
    read = read_selection(folder)
    assert vars(read) == old | {"by": "ranking", "ranking_version": ""}
    assert select_checkpoint(folder, BUILT_IN).chosen_at == "then"


def test_a_selection_that_is_not_there_or_damaged_is_an_input_error(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100))
    with pytest.raises(InputError, match=r"No checkpoint of .* is selected"):
        read_selection(folder)
    for text in ("{", "[]", '{"step": 100}'):
        folder.selection.write_text(text)
        with pytest.raises(InputError, match=r"selected_checkpoint\.json is damaged"):
            read_selection(folder)


def test_nothing_is_selected_where_all_have_faults(tmp_path: Path) -> None:
    faulty = [an_audit(step, musical_recon={"silent": 1.0}) for step in (100, 200)]
    folder = a_training(tmp_path, *faulty)
    with pytest.raises(MorpheneError, match=r"All 2 .* \(step 200: silent in .*`morphene select`"):
        select_checkpoint(folder, BUILT_IN)
    assert not folder.selection.exists()


def test_of_a_trial_the_least_faulty_is_selected_and_its_faults_are_said(tmp_path: Path) -> None:
    faulty = [
        an_audit(step, badness=badness, musical_recon={"silent": 1.0})
        for step, badness in ((100, 0.2), (200, 0.5))
    ]
    folder = a_training(tmp_path, *faulty)
    folder.write(replace(folder.read(), profile={"shippable": False}))
    selection = select_checkpoint(folder, BUILT_IN)
    assert selection.step == 100
    assert "All 2 audited checkpoints have faults" in selection.reason
    assert "Its faults: silent in musical_recon" in selection.reason


def test_nothing_is_selected_where_nothing_is_audited(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="audited"):
        select_checkpoint(a_training(tmp_path, unaudited=(100,)), BUILT_IN)


def test_checkpoints_that_wait_for_their_audit_are_counted(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100), unaudited=(200, 300))
    assert select_checkpoint(folder, BUILT_IN).reason.endswith("Not audited yet: 2.")


def test_the_audit_of_a_checkpoint_that_was_replaced_does_not_count(tmp_path: Path) -> None:
    stale = an_audit(200, badness=0.1, checkpoint_sha256="before")
    folder = a_training(tmp_path, an_audit(100), stale)
    assert select_checkpoint(folder, BUILT_IN).step == 100
    with pytest.raises(InputError, match="as it is now"):
        select_checkpoint(a_training(tmp_path / "other", stale), BUILT_IN)


# People's choices


def test_a_persons_choice_wins_and_the_newest_one_counts(tmp_path: Path) -> None:
    faulty = an_audit(300, morph_50={"clipped": 0.5})
    folder = a_training(tmp_path, an_audit(100, badness=0.1), an_audit(200), faulty)
    choose_checkpoint(folder, 200, "warmer", "Ada")
    choose_checkpoint(folder, 300, "the clipping is the point", "Ben")
    chosen = select_checkpoint(folder, BUILT_IN)
    assert (chosen.step, chosen.by, chosen.reason) == (300, "Ben", "the clipping is the point")
    assert chosen.chosen_at == read_choices(folder)[-1].at
    assert read_selection(folder) == chosen == select_checkpoint(folder, BUILT_IN)
    assert [choice.who for choice in read_choices(folder)] == ["Ada", "Ben"]


def test_a_choice_needs_no_audit(tmp_path: Path) -> None:
    folder = a_training(tmp_path, unaudited=(100,))
    choose_checkpoint(folder, 100, "warmer", "Ada")
    assert select_checkpoint(folder, BUILT_IN).step == 100


def test_a_withdrawn_choice_stays_on_record_and_the_ranking_decides(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100, badness=0.1), an_audit(200), an_audit(300))
    choose_checkpoint(folder, 300, "warmer", "Ada")
    choose_checkpoint(folder, 200, "warmest", "Ada")
    withdraw_choice(folder, "heard it on other loudspeakers", "Ben")
    assert select_checkpoint(folder, BUILT_IN).by == "ranking"
    assert [(choice.action, choice.step) for choice in read_choices(folder)] == [
        ("choose", 300),
        ("choose", 200),
        ("withdraw", 200),
    ]
    with pytest.raises(InputError, match="the ranking decides already"):
        withdraw_choice(folder, "once more", "Ben")
    choose_checkpoint(folder, 300, "after all", "Ada")
    assert select_checkpoint(folder, BUILT_IN).step == 300


def test_a_choice_is_void_once_its_checkpoint_is_another_file(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100, badness=0.1), an_audit(200))
    choose_checkpoint(folder, 200, "warmer", "Ada")
    record = (folder.path / "training.json").read_text()
    (folder.path / "training.json").write_text(record.replace("hash-200", "trained-anew"))
    selected = select_checkpoint(folder, BUILT_IN)
    assert (selected.step, selected.by) == (100, "ranking")
    assert "Ada's choice of step 200 is void" in selected.reason


@pytest.mark.parametrize(
    ("step", "reason", "who", "message"),
    [
        (150, "warmer", "Ada", "no checkpoint of step 150"),
        (100, " ", "Ada", "needs a reason"),
        (100, "warmer", "", "needs the name of a person"),
        (100, "warmer", "Ranking", "'Ranking' is none"),
    ],
)
def test_a_choice_without_checkpoint_reason_or_name_is_refused(
    tmp_path: Path, step: int, reason: str, who: str, message: str
) -> None:
    folder = a_training(tmp_path, an_audit(100))
    with pytest.raises(InputError, match=message):
        choose_checkpoint(folder, step, reason, who)
    assert read_choices(folder) == []


CHOOSER = """
import sys
from pathlib import Path
from morphene_core.selection import choose_checkpoint
from morphene_core.training import TrainingFolder
folder = TrainingFolder(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    choose_checkpoint(folder, 100, f"{number} " + "because " * 2000, sys.argv[2])
    print(number, flush=True)
"""


def chooser(folder: Path, who: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHOOSER, str(folder), who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_people_who_choose_at_once_are_both_on_record(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100))
    processes = [chooser(tmp_path, who, 10) for who in ("Ada", "Ben")]
    assert [process.communicate() and process.returncode for process in processes] == [0, 0]
    for who in ("Ada", "Ben"):
        mine = [choice.reason.split()[0] for choice in read_choices(folder) if choice.who == who]
        assert mine == [str(number) for number in range(10)]


def test_a_choice_that_was_made_outlives_a_kill_in_the_middle_of_the_next(tmp_path: Path) -> None:
    folder = a_training(tmp_path, an_audit(100), an_audit(200))
    with chooser(tmp_path, "Ada", 10_000) as process:
        assert process.stdout
        made = [process.stdout.readline() for _ in range(3)]
        time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        made += list(process.stdout)
    assert len(read_choices(folder)) in (len(made), len(made) + 1)
    with (folder.path / "choices.jsonl").open("a") as file:
        file.write('{"action": "choose", "step": 100, "checkp')
    choose_checkpoint(folder, 200, "warmer", "Ben")
    standing = standing_choice(folder)
    assert standing
    assert (standing.step, standing.who) == (200, "Ben")
