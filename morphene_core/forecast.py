"""What the trainings that are still open will take: GPU hours and disk space.

Times and sizes come from this project's own trainings, profile by profile. Where there are none
yet, a profile's budget in hours stands in, which is a plan and no measurement.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from morphene_core.errors import MorpheneError
from morphene_core.home import Home
from morphene_core.instruments import Instrument
from morphene_core.profiles import Profile, load_profile
from morphene_core.training import TrainingRecord, current_training, trainings

KNOWN_SIZES = "at full size a checkpoint takes 126 MB and a full state 0.5 to 0.7 GB"
"""From the documentation (docs/training.md), for where no training of this project was measured."""


@dataclass(frozen=True)
class Experience:
    """What the trainings with one profile took so far.

    Attributes:
        hours: of the finished ones, each.
        phase_1: measured steps per second of phase 1, of all that were begun.
        phase_2: likewise, of phase 2.
        gigabytes: of the folders of the finished ones, each (1e9 bytes).
    """

    hours: tuple[float, ...] = ()
    phase_1: tuple[float, ...] = ()
    phase_2: tuple[float, ...] = ()
    gigabytes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Outlook:
    """What one open training will take.

    Attributes:
        hours: on one GPU, or None if nothing is known.
        hours_from: "measured", "plan" (a profile's budget), or "not measured yet".
        gigabytes: of disk space (1e9 bytes), as measured, or None.
    """

    hours: float | None
    hours_from: str
    gigabytes: float | None


@dataclass(frozen=True)
class Row:
    """The sums of one tier, or of all.

    Attributes:
        tier: its name, or "all".
        open: how many instruments are not trained yet.
        hours: on one GPU, of those of which they are known.
        measured_hours: the part of the hours that rests on measurements.
        unknown: how many have no known hours.
        days: on the GPUs that there are, all of them busy day and night.
        gigabytes: of disk space, of those of which it was measured.
        unknown_gigabytes: of how many it was not measured yet.
    """

    tier: str
    open: int
    hours: float
    measured_hours: float
    unknown: int
    days: float
    gigabytes: float
    unknown_gigabytes: int


def forecast(
    home: Home, instruments: Sequence[Instrument], to_train: Sequence[Instrument], gpus: int
) -> list[Row]:
    """Return what is still to be trained, by tier and in all.

    Args:
        home: the project folder.
        instruments: the whole catalogue, whose trainings are learned from.
        to_train: the instruments that are open.
        gpus: how many trainings run at once.

    Raises:
        InputError: the settings name a profile that there is not.
    """
    experience = learn(home, instruments)
    outlooks = {i.slug: _outlook(home, i, experience) for i in to_train}
    tiers = dict.fromkeys(i.tier for i in instruments)
    rows = [
        _row(tier, [outlooks[i.slug] for i in to_train if i.tier == tier], gpus) for tier in tiers
    ]
    return [*rows, _row("all", list(outlooks.values()), gpus)]


def learn(home: Home, instruments: Iterable[Instrument]) -> dict[str, Experience]:
    """Return what the trainings of a project took, by the version of their profile."""
    hours, phase_1, phase_2, sizes = (defaultdict[str, list[float]](list) for _ in range(4))
    for folder in (f for i in instruments for f in trainings(home.instrument(i.slug))):
        try:
            record = folder.read()
            version = record.training_profile.version
        except MorpheneError:  # begun by another version of Morphene
            continue
        first, second = _speeds(record)
        phase_1[version] += [first] if first else []
        phase_2[version] += [second] if second else []
        if record.finished:
            hours[version].append(record.seconds / 3600)
            sizes[version].append(_size(folder.path) / 1e9)
    return {
        version: Experience(
            *(tuple(known.get(version, ())) for known in (hours, phase_1, phase_2, sizes))
        )
        for version in {*hours, *phase_1, *phase_2}
    }


def _outlook(home: Home, instrument: Instrument, experience: dict[str, Experience]) -> Outlook:
    profile = load_profile(home.profile_name(instrument.slug), home.profiles)
    learned = experience.get(profile.version, Experience())
    begun = _begun(home, instrument, profile)
    hours, source = _hours(profile, learned, begun)
    return Outlook(hours, source, _mean(learned.gigabytes))


def _begun(home: Home, instrument: Instrument, profile: Profile) -> TrainingRecord | None:
    """Return the training that an instrument's next run goes on with, if it has begun."""
    try:
        record = current_training(home.instrument(instrument.slug)).read()
        same = record.training_profile.version == profile.version
    except MorpheneError:
        return None
    return record if same and not record.finished else None


def _hours(
    profile: Profile, learned: Experience, begun: TrainingRecord | None
) -> tuple[float | None, str]:
    """Return the hours that a training still takes, and how that is known."""
    settings = profile.training
    schedule = begun.schedule if begun else None
    steps: tuple[int, int] | None = None
    if begun and schedule:
        first = max(0, schedule.phase_1_steps - begun.step)
        steps = (first, schedule.total_steps - max(begun.step, schedule.phase_1_steps))
    elif settings.phase_1_steps and settings.total_steps:
        steps = (settings.phase_1_steps, settings.total_steps - settings.phase_1_steps)
    own = _speeds(begun) if begun else (None, None)
    speeds = (own[0] or _mean(learned.phase_1), own[1] or _mean(learned.phase_2))
    if learned.hours and not (begun and begun.step):
        return _mean(learned.hours), "measured"
    if steps and speeds[0] and speeds[1]:
        return (steps[0] / speeds[0] + steps[1] / speeds[1]) / 3600, "measured"
    if settings.hours:
        spent = begun.seconds / 3600 if begun else 0.0
        return max(0.0, settings.hours - spent), "plan"
    return None, "not measured yet"


def _speeds(record: TrainingRecord) -> tuple[float | None, float | None]:
    """Return the measured steps per second of both phases of a training."""
    schedule = record.schedule
    if schedule and schedule.speed:
        return schedule.speed.phase_1, schedule.speed.phase_2
    return None, None


def _row(tier: str, outlooks: Sequence[Outlook], gpus: int) -> Row:
    hours = sum(o.hours for o in outlooks if o.hours is not None)
    return Row(
        tier=tier,
        open=len(outlooks),
        hours=hours,
        measured_hours=sum(o.hours or 0.0 for o in outlooks if o.hours_from == "measured"),
        unknown=sum(o.hours is None for o in outlooks),
        days=hours / 24 / gpus,
        gigabytes=sum(o.gigabytes for o in outlooks if o.gigabytes is not None),
        unknown_gigabytes=sum(o.gigabytes is None for o in outlooks),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _size(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
