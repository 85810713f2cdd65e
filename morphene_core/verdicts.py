"""What people decided on an instrument: approved or rejected, criterion by criterion.

Verdicts are lines of ``models/{instrument}/verdicts.jsonl``, which is only ever added to. Each one
is on one checkpoint, by its hash: another selection needs another verdict.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from morphene_core import journal
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import locked
from morphene_core.home import InstrumentPaths

DECISIONS = ("approved", "rejected")
RATINGS = ("good", "usable", "bad")
CRITERIA = (
    "musical_reconstruction",
    "nonmusical_reconstruction",
    "morph_progression",
    "real_time_playback",
    "musicality",
)
"""What an instrument is judged by."""

LONGEST_NAME = 80
LONGEST_NOTES = 8000

_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Verdict:
    """A person's decision on one checkpoint.

    Attributes:
        instrument: slug.
        training: id of the training.
        step: of the checkpoint.
        checkpoint_sha256: hash of the checkpoint that was heard.
        decision: "approved" or "rejected".
        criteria: "good", "usable" or "bad" by criterion; those that were not judged are left out.
        notes: anything else.
        listener: who decided.
        at: UTC time, ISO 8601.
    """

    instrument: str
    training: str
    step: int
    checkpoint_sha256: str
    decision: str
    criteria: dict[str, str]
    notes: str
    listener: str
    at: str

    def __post_init__(self) -> None:
        """Check the verdict.

        Raises:
            InputError: a field is not what it must be; the field is named.
        """
        for criterion, rating in self.criteria.items():
            _require(criterion in CRITERIA, f"{criterion!r} is no criterion: {_list(CRITERIA)}")
            _require(rating in RATINGS, f"{criterion} is {rating!r}: rate it {_list(RATINGS)}")
        _require(self.decision in DECISIONS, f"{self.decision!r}: decide {_list(DECISIONS)}")
        _require(bool(self.listener.strip()), "no name: say who listened")
        _require(len(self.listener) <= LONGEST_NAME, f"a name of over {LONGEST_NAME} characters")
        _require(len(self.notes) <= LONGEST_NOTES, f"notes of over {LONGEST_NOTES} characters")


class VerdictConflict(MorpheneError):  # noqa: N818 - it is no error of anyone's
    """Somebody else gave a verdict meanwhile.

    Attributes:
        verdicts: those that were not seen, the newest last.
    """

    def __init__(self, verdicts: list[Verdict]) -> None:
        newest = verdicts[-1]
        super().__init__(
            f"{newest.listener} {newest.decision} step {newest.step:,} while you listened. Nothing"
            " was recorded: read that verdict, then give yours again if it stands."
        )
        self.verdicts = verdicts


def record_verdict(paths: InstrumentPaths, verdict: Verdict, seen: int | None = None) -> None:
    """Add a verdict to the instrument's.

    Args:
        paths: of the instrument.
        verdict: the decision.
        seen: how many verdicts the listener knew of; None if that does not matter.

    Raises:
        VerdictConflict: there are more by now. Nothing is recorded.
        MorpheneError: the file cannot be written.
    """
    paths.models.mkdir(parents=True, exist_ok=True)
    busy = f"Another verdict on {paths.slug} is just being written. Try again."
    with locked(paths.models / ".verdicts.lock", busy, _WAIT_SECONDS):
        before = read_verdicts(paths)
        if seen is not None and len(before) > seen:
            raise VerdictConflict(before[seen:])
        journal.append(verdicts_path(paths), asdict(verdict))


def read_verdicts(paths: InstrumentPaths) -> list[Verdict]:
    """Return all verdicts on an instrument, the oldest first; lines that are none are left out.

    Raises:
        MorpheneError: the file cannot be read.
    """
    return [verdict for verdict in _lines(paths) if verdict]


def verdict_on(paths: InstrumentPaths, checkpoint_sha256: str) -> Verdict | None:
    """Return the newest verdict on a checkpoint, or None if nobody gave one.

    It is None, too, where a damaged line may be a newer one: nothing ships on a guess.
    """
    newest = None
    for verdict in _lines(paths):
        if verdict is None or verdict.checkpoint_sha256 == checkpoint_sha256:
            newest = verdict
    return newest


def doubtful_line(paths: InstrumentPaths, checkpoint_sha256: str) -> int | None:
    """Return the number of a line that may be the newest verdict on a checkpoint, or None.

    It is no verdict as it stands, and follows all on this checkpoint that can be read.
    """
    doubtful = None
    for number, verdict in enumerate(_lines(paths), start=1):
        if verdict is None:
            doubtful = number
        elif verdict.checkpoint_sha256 == checkpoint_sha256:
            doubtful = None
    return doubtful


def verdicts_path(paths: InstrumentPaths) -> Path:
    """Return where the verdicts on an instrument are kept."""
    return paths.models / "verdicts.jsonl"


def _lines(paths: InstrumentPaths) -> list[Verdict | None]:
    return [_verdict(record) for record in journal.read_whole(verdicts_path(paths))]


def _verdict(record: Mapping[str, Any] | None) -> Verdict | None:
    if record is None:
        return None
    try:
        return Verdict(**{field.name: record[field.name] for field in fields(Verdict)})
    except (KeyError, TypeError, AttributeError, InputError):
        return None


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise InputError(f"The verdict is not complete: {otherwise}.")


def _list(names: tuple[str, ...]) -> str:
    return " or ".join(names)
