"""What the open trainings will take, by what this project's own trainings took."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from morphene_core.forecast import Row, forecast
from morphene_core.home import Home
from morphene_core.instruments import Instrument, get_instrument
from morphene_core.training.schedule import Schedule, Speed
from tests.queues import begun, small_home

Run = Callable[..., subprocess.CompletedProcess[str]]

FLAGSHIPS = [get_instrument(number) for number in (1, 2, 3)]
STRONG = get_instrument(20)
ALL = [*FLAGSHIPS, STRONG]
HOURS = "hours = 20\nphase_1_share = 0.5"
MEASURED = Speed("cpu", 10.0, 2.5, 1.0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return small_home(tmp_path)


def with_hours(home: Home) -> None:
    """Give the profile a budget in hours in place of its steps."""
    profile = home.profiles / "tiny.toml"
    text = profile.read_text().replace("phase_1_steps = 60", HOURS).replace("total_steps = 80", "")
    profile.write_text(text)


def rows(home: Home, to_train: list[Instrument], gpus: int = 1) -> dict[str, Row]:
    return {row.tier: row for row in forecast(home, ALL, to_train, gpus)}


def finished(home: Home, instrument: Instrument, hours: float, megabytes: int = 0) -> None:
    folder = begun(home, instrument)
    folder.write(replace(folder.read(), finished="today", step=80, seconds=hours * 3600))
    (folder.checkpoints / "checkpoint.pt").write_bytes(b"x" * megabytes * 1_000_000)


def test_before_anything_was_measured_the_budget_is_a_plan(home: Home) -> None:
    with_hours(home)
    found = rows(home, ALL, gpus=2)
    assert (found["flagship"].open, found["flagship"].hours) == (3, 60)
    assert (found["strong"].open, found["strong"].hours) == (1, 20)
    everything = found["all"]
    assert (everything.open, everything.hours, everything.measured_hours) == (4, 80, 0)
    assert everything.days == pytest.approx(80 / 24 / 2)
    assert (everything.unknown, everything.unknown_gigabytes) == (0, 4)


def test_a_profile_of_steps_has_no_hours_before_its_speed_was_measured(home: Home) -> None:
    found = rows(home, ALL)["all"]
    assert (found.hours, found.unknown) == (0, 4)


def test_finished_trainings_tell_what_the_next_ones_take(home: Home) -> None:
    finished(home, FLAGSHIPS[0], hours=2.0, megabytes=3)
    finished(home, FLAGSHIPS[1], hours=4.0, megabytes=5)
    found = rows(home, [FLAGSHIPS[2], STRONG])["all"]
    assert (found.hours, found.measured_hours) == (6, 6)
    assert found.gigabytes == pytest.approx(2 * 0.004, rel=0.05)
    assert found.unknown_gigabytes == 0


def test_trainings_with_another_profile_tell_nothing(home: Home) -> None:
    finished(home, FLAGSHIPS[0], hours=2.0)
    with_hours(home)
    found = rows(home, [STRONG])["all"]
    assert (found.hours, found.measured_hours, found.unknown_gigabytes) == (20, 0, 1)


def test_what_is_left_of_a_training_follows_from_its_measured_speeds(home: Home) -> None:
    with_hours(home)
    folder = begun(home, STRONG)
    schedule = Schedule(36_000, 45_000, 36_000, MEASURED)
    folder.write(replace(folder.read(), schedule=schedule))
    assert rows(home, [STRONG])["all"].hours == pytest.approx(1.0 + 1.0)
    folder.write(replace(folder.read(), step=18_000))
    assert rows(home, [STRONG])["all"].hours == pytest.approx(0.5 + 1.0)
    folder.write(replace(folder.read(), step=40_500))
    found = rows(home, [STRONG])["all"]
    assert (found.hours, found.measured_hours) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_speed_measured_in_one_training_tells_what_steps_take_in_others(home: Home) -> None:
    folder = begun(home, FLAGSHIPS[0])
    schedule = Schedule(60, 80, 60, MEASURED)
    folder.write(replace(folder.read(), schedule=schedule))
    assert rows(home, [STRONG])["all"].hours == pytest.approx((60 / 10 + 20 / 2.5) / 3600)


def test_a_training_of_an_older_version_is_passed_over(home: Home) -> None:
    folder = begun(home, FLAGSHIPS[0])
    folder.write(replace(folder.read(), finished="today", seconds=9e9, profile={"name": "old"}))
    assert rows(home, [STRONG])["all"].unknown == 1


def test_the_command_says_what_is_planned_and_what_was_not_measured(
    home: Home, morphene: Run
) -> None:
    with_hours(home)
    shown = morphene("forecast", "--gpus", "4", home=home.path).stdout
    assert "days at 4 GPUs" in shown
    assert "1,000.0 h planned, not measured yet" in shown
    assert "Disk of 50 trainings: not measured yet (at full size a checkpoint takes" in shown
    found = json.loads(morphene("forecast", "--json", home=home.path).stdout)
    assert [row["tier"] for row in found["tiers"]] == ["flagship", "strong", "experimental", "all"]
    assert found["gpus"] >= 1
    assert found["tiers"][-1]["hours"] == 1000
