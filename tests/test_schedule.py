"""How long a training is: from a budget in hours, from a profile's steps, from an operator."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.profiles import Training, load_profile
from morphene_core.training.schedule import Schedule, Speed, fitted, planned

PRODUCTION = load_profile("production", Path("none")).training


def seconds(schedule: Schedule, speed: Speed, training: Training) -> float:
    """Return what a schedule takes at a speed, validations included."""
    steps = (schedule.phase_1_steps, schedule.total_steps - schedule.phase_1_steps)
    trained = steps[0] / speed.phase_1 + steps[1] / speed.phase_2
    return trained + sum(steps) / training.validate_every * speed.validation_seconds


@given(st.floats(4, 50), st.floats(1, 12), st.floats(0, 60))
def test_a_production_training_fits_its_hours_and_reaches_its_adversarial_phase(
    phase_1: float, slower: float, validation: float
) -> None:
    speed = Speed("a card", phase_1, phase_1 / slower, validation)
    schedule = fitted(PRODUCTION, speed)
    assert schedule.phase_1_steps % PRODUCTION.validate_every == 0
    assert schedule.total_steps - schedule.phase_1_steps >= PRODUCTION.validate_every
    assert PRODUCTION.hours is not None
    budget = 3600 * PRODUCTION.hours
    a_round = PRODUCTION.validate_every / speed.phase_1 + validation
    assert budget - a_round - 5 <= seconds(schedule, speed, PRODUCTION) <= budget
    assert (schedule.decay_steps, schedule.speed) == (schedule.phase_1_steps, speed)


def test_a_gpu_too_slow_for_the_hours_is_refused() -> None:
    with pytest.raises(InputError, match=r"20 hours on a snail give .* Raise `hours`"):
        fitted(PRODUCTION, Speed("a snail", 0.1, 0.02, 5))


def test_a_profile_that_names_steps_is_taken_at_its_word() -> None:
    demo = load_profile("demo", Path("none")).training
    assert planned(demo) == Schedule(750, 1050, 750)
    assert planned(PRODUCTION) is None


@given(st.integers(0, 100), st.floats(0.01, 1))
def test_finishing_early_trains_the_share_of_what_was_planned_and_never_more(
    step: int, share: float
) -> None:
    early = Schedule(60, 100, 60).finished_early(step, share, "now")
    assert early.phase_1_steps == min(60, max(1, step))
    assert step <= early.total_steps <= 100
    assert early.decay_steps == 60  # the learning rate goes on as planned
    if step <= 60:
        assert early.total_steps - early.phase_1_steps == max(1, round(share * 40))


def test_a_schedule_with_its_changes_survives_json() -> None:
    schedule = Schedule(60, 100, 60, Speed("cpu", 2, 1, 3)).extended(100, 50, "now")
    assert Schedule.from_json(json.loads(json.dumps(asdict(schedule)))) == schedule
    assert schedule.total_steps == 150
    assert schedule.changes[0]["total_steps"] == [100, 150]
