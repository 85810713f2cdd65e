"""How far the recordings of an instrument are: what is there, what is promised, what is missing."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from morphene_core.audio.coverage import Coverage, coverage_of
from morphene_core.audio.prepared import AudioSettings, load_current
from morphene_core.home import InstrumentPaths, Release, Role
from morphene_core.instruments import Instrument
from morphene_core.progress import Report, clock, silent
from morphene_core.sources.licences import Problem, licence_problems
from morphene_core.sources.manifest import Source
from morphene_core.sources.register import SourceFile, SourceRegister, accepted, survey


@dataclass(frozen=True)
class SourceStatus:
    """One source: what is known of it, and how much of it can be used.

    Attributes:
        source: as the manifest has it.
        files: its files, with their verdicts.
        problems: what its licence forbids or asks for.
    """

    source: Source
    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]

    @property
    def accepted(self) -> tuple[SourceFile, ...]:
        """Its files that are used."""
        return accepted(self.files)

    @property
    def seconds(self) -> float:
        """Duration of the files that are used."""
        return sum(file.seconds for file in self.accepted)


@dataclass(frozen=True)
class RoleStatus:
    """The recordings of one role.

    Attributes:
        role: the role.
        wanted_seconds: audio that the profile asks for.
        prepared_seconds: audio after preparation, or None where that is not up to date.
        register: every file with its verdict.
        sources: each source.
        coverage: which part of the instrument's range they cover.
    """

    role: Role
    wanted_seconds: float
    prepared_seconds: float | None
    register: SourceRegister
    sources: tuple[SourceStatus, ...]
    coverage: Coverage

    @property
    def usable_seconds(self) -> float:
        """Audio to train on and to hold out: what preparation left, or else what was accepted."""
        return self.register.seconds if self.prepared_seconds is None else self.prepared_seconds

    @property
    def expected_seconds(self) -> float:
        """Audio that was promised and is not there yet. It never counts as collected."""
        return sum(s.source.expected_seconds or 0.0 for s in self.sources)

    @property
    def rating(self) -> float | None:
        """Mean rating of the rated sources, weighted by their duration."""
        rated = [
            (s.source.rating, s.seconds) for s in self.sources if s.source.rating and s.seconds
        ]
        total = sum(seconds for _, seconds in rated)
        return sum(rating * seconds for rating, seconds in rated) / total if total else None

    def count(self, *verdicts: str) -> int:
        """Return how many files have one of these verdicts."""
        return sum(file.verdict in verdicts for file in self.register.files)

    @property
    def problems(self) -> list[tuple[str, Problem]]:
        """Licence problems by the name of their source, the forbidding ones first."""
        found = [(s.source.name, problem) for s in self.sources for problem in s.problems]
        return sorted(found, key=lambda pair: not pair[1].forbids)

    @property
    def complete(self) -> bool:
        """Whether there is enough audio, and the licences of what is used allow it."""
        enough = bool(self.register.accepted) and self.usable_seconds >= self.wanted_seconds
        used = [status for status in self.sources if status.accepted]
        return enough and not any(p.forbids for status in used for p in status.problems)

    @property
    def missing(self) -> list[str]:
        """What is to be done before this role is complete, in sentences."""
        todo = []
        if (short := self.wanted_seconds - self.usable_seconds) > 0:
            promised = min(short, self.expected_seconds)
            expected = f", {clock(promised)} of it expected" if promised else ""
            todo.append(f"{clock(short)} more of audio{expected}")
        todo += [f"licence of {name!r} {p.text}" for name, p in self.problems]
        unknown = sum(
            f.code == "not registered" for file in self.register.files for f in file.findings
        )
        if unknown:
            todo.append(f"{_files(unknown)} to register (`morphene sources add`)")
        if rejected := self.count("rejected") - unknown:
            todo.append(f"{_files(rejected, 'rejected ')} to replace")
        return todo


def role_status(
    paths: InstrumentPaths,
    instrument: Instrument,
    role: Role,
    source_hours: float,
    release: Release,
    report: Report = silent,
) -> RoleStatus:
    """Return how far one role's recordings are. Files that are new or changed are read.

    Args:
        paths: of the instrument.
        instrument: its entry in the catalogue.
        role: the role.
        source_hours: audio that the profile asks for.
        release: how the instrument is to be released.
        report: takes progress.
    """
    register = survey(paths, role, report, verify=False)
    return RoleStatus(
        role,
        source_hours * 3600,
        _prepared_seconds(paths, register),
        register,
        source_statuses(register, release),
        coverage(register, instrument),
    )


def coverage(register: SourceRegister, instrument: Instrument) -> Coverage:
    """Return which part of an instrument's range the accepted files of a role cover."""
    counts = [file.examination.coverage for file in register.accepted if file.examination.coverage]
    return coverage_of(instrument, register.role, counts)


def source_statuses(
    register: SourceRegister, release: Release, today: date | None = None
) -> tuple[SourceStatus, ...]:
    """Return each source of a role with its files and licence problems."""
    day = today or datetime.now(UTC).date()
    return tuple(
        SourceStatus(
            source,
            register.of_source(source.name),
            tuple(licence_problems(source.terms, source.attribution, source.expires, release, day)),
        )
        for source in register.sources
    )


def _files(number: int, kind: str = "") -> str:
    return f"{number} {kind}file{'s' if number > 1 else ''}"


def _prepared_seconds(paths: InstrumentPaths, register: SourceRegister) -> float | None:
    settings = AudioSettings.of(register.role)
    prepared = load_current(paths.audio(register.role), register.data_version, settings)
    return prepared.seconds if prepared else None
