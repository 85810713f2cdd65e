"""Prepared audio on disk: what was written, where each piece comes from, and how it was made."""

from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.errors import InputError
from morphene_core.files import combined_hash, read_json, write_json
from morphene_core.home import Role

INDEX = "audio.json"

Limit = Literal["loudness", "true peak", "gain"]
"""What decided a gain: the target loudness, the ceiling of the true peak, or the most gain."""


@dataclass(frozen=True)
class Recording:
    """A raw recording that is to be prepared.

    Attributes:
        path: POSIX, relative to the source folder.
        sha256: hash of the file, as it was when it was examined.
        seconds: duration, for the progress only.
        dc_offset: constant that is subtracted from the mono mix, full scale 1.0.
    """

    path: str
    sha256: str
    seconds: float
    dc_offset: float = 0.0

    @property
    def folder(self) -> str:
        """The recording session that it belongs to."""
        return str(PurePosixPath(self.path).parent)


@dataclass(frozen=True)
class AudioSettings:
    """How audio is prepared. The defaults are those of the musical role; see `of`.

    Attributes:
        loudness_lufs: integrated loudness that each session is brought to.
        true_peak_dbtp: ceiling of each session's true peak; it goes before the loudness.
        max_gain_db: most amplification, lest a session of almost nothing become loud noise.
        silence_db: K-weighted level under which a frame of 10 ms is silent, relative to the
            session's loudest frame.
        highest_silence_db: how far that level may be raised where the noise floor is higher.
        noise_floor_margin_db: how far over the noise floor it then lies; None: never raised.
        longest_gap_seconds: silence longer than this is shortened to the two pads.
        pad_before_seconds: silence kept before a sound, for its attack.
        pad_after_seconds: silence kept after a sound, for its decay.
        fade_seconds: fade at both ends of every piece, and where a gap was shortened.
        heldout_share: share of the audio that is held out of the training.
        heldout_min_seconds: least held-out audio (but never more than a third of all).
        heldout_max_seconds: most held-out audio.
        heldout_stretches: over how many places the held-out audio is spread ...
        heldout_stretch_every_seconds: ... and one more for each such duration of audio.
        heldout_stretch_seconds: wished least length of one of them.
        least_seconds: audio under which no instrument is worth training.
    """

    loudness_lufs: float = -20.0
    true_peak_dbtp: float = -1.0
    max_gain_db: float = 40.0
    silence_db: float = -60.0
    highest_silence_db: float = -50.0
    noise_floor_margin_db: float | None = 6.0
    longest_gap_seconds: float = 1.0
    pad_before_seconds: float = 0.05
    pad_after_seconds: float = 0.5
    fade_seconds: float = 0.005
    heldout_share: float = 0.1
    heldout_min_seconds: float = 6.0
    heldout_max_seconds: float = 300.0
    heldout_stretches: int = 4
    heldout_stretch_every_seconds: float = 600.0
    heldout_stretch_seconds: float = 1.5
    least_seconds: float = 10.0

    @classmethod
    def of(cls, role: Role) -> "AudioSettings":
        """Return the settings that suit a role.

        A texture (fire, rain) is never silent and has no noise floor beside itself: of it, only
        what is practically digital silence is cut.
        """
        if role == "nonmusical":
            return cls(silence_db=-80.0, noise_floor_margin_db=None)
        return cls()


@dataclass(frozen=True)
class Session:
    """One recording session: the files of one folder, which share one gain.

    A session that is silent as mono is left out whole: its levels are None and its gain is 0.

    Attributes:
        folder: POSIX, relative to the source folder; "." for the folder itself.
        original_seconds: duration of the session's recordings.
        left_out: files that are silent throughout beside the rest of their session, or as mono.
        kept_seconds: duration of what was written of them.
        silence_dbfs: K-weighted level under which a frame of 10 ms was silent.
        silence_share: share of the kept frames that are silent: padding and short rests.
        gain_db: what every file of the session was amplified by.
        limited_by: what decided the gain.
        lufs_before: integrated loudness of what was kept; None under the gate of -70 LUFS.
        lufs_after: the same of the written pieces, measured on them.
        true_peak_before_dbtp: true peak of the recordings.
        true_peak_after_dbtp: true peak of the written pieces, measured on them.
    """

    folder: str
    original_seconds: float
    left_out: tuple[str, ...] = ()
    kept_seconds: float = 0.0
    silence_dbfs: float | None = None
    silence_share: float = 0.0
    gain_db: float = 0.0
    limited_by: Limit | None = None
    lufs_before: float | None = None
    lufs_after: float | None = None
    true_peak_before_dbtp: float | None = None
    true_peak_after_dbtp: float | None = None

    @property
    def silence_removed_seconds(self) -> float:
        """How much silence was cut: ends, long gaps, and files that are left out."""
        return self.original_seconds - self.kept_seconds


@dataclass(frozen=True)
class Piece:
    """One written file and where it comes from.

    Attributes:
        file: POSIX, relative to the prepared folder.
        set: what the piece may be used for.
        source: the source file, POSIX, relative to the source folder.
        source_sha256: hash of the source file.
        spans: parts of the source that follow one another in the piece: start and end in seconds.
        frames: samples at 48 kHz.
        sha256: hash of the written file.
    """

    file: str
    set: Literal["training", "heldout"]
    source: str
    source_sha256: str
    spans: tuple[tuple[float, float], ...]
    frames: int
    sha256: str


@dataclass(frozen=True)
class PreparedAudio:
    """Prepared audio in a folder: 24-bit WAV, mono, 48 kHz.

    Attributes:
        folder: where it lies.
        source_version: ``data_version`` of the recordings that it was made from.
        settings: how it was prepared.
        sessions: the recording sessions.
        pieces: the written files.
        repeats: where held-out audio sounds in the training audio as well, for a person.
    """

    folder: Path
    source_version: str
    settings: AudioSettings
    sessions: tuple[Session, ...]
    pieces: tuple[Piece, ...]
    repeats: tuple[str, ...] = ()

    @property
    def training(self) -> tuple[Path, ...]:
        """Files to train on, in time order."""
        return tuple(self.folder / piece.file for piece in self.pieces if piece.set == "training")

    @property
    def heldout(self) -> tuple[Path, ...]:
        """Files to validate and audit with, in time order. They are never trained on."""
        return tuple(self.folder / piece.file for piece in self.pieces if piece.set == "heldout")

    @property
    def training_seconds(self) -> float:
        """Duration of the training files."""
        return sum(p.frames for p in self.pieces if p.set == "training") / SAMPLE_RATE

    @property
    def heldout_seconds(self) -> float:
        """Duration of the held-out files."""
        return sum(p.frames for p in self.pieces if p.set == "heldout") / SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Duration of all files."""
        return self.training_seconds + self.heldout_seconds

    @property
    def data_version(self) -> str:
        """One hash of the written files, their names and sets."""
        return combined_hash([f"{piece.sha256} {piece.file}" for piece in self.pieces])


def load_prepared(folder: Path) -> PreparedAudio:
    """Return what ``prepare_audio`` published in a folder.

    Raises:
        InputError: nothing was published there, or by an older Morphene.
    """
    index = folder / INDEX
    if not index.is_file():
        raise InputError(f"{folder} holds no prepared audio. Prepare the audio first.")
    try:
        return _from_json(folder, read_json(index))
    except (TypeError, KeyError) as error:
        raise InputError(
            f"{index} was written by an older Morphene. Prepare the audio again."
        ) from error


def _from_json(folder: Path, data: dict[str, Any]) -> PreparedAudio:
    sessions = (
        Session(**{**session, "left_out": tuple(session["left_out"])})
        for session in data["sessions"]
    )
    pieces = (
        Piece(**{**piece, "spans": tuple((start, end) for start, end in piece["spans"])})
        for piece in data["pieces"]
    )
    return PreparedAudio(
        folder,
        data["source_version"],
        AudioSettings(**data["settings"]),
        tuple(sessions),
        tuple(pieces),
        tuple(data["repeats"]),
    )


def load_current(
    folder: Path, source_version: str, settings: AudioSettings
) -> PreparedAudio | None:
    """Return the prepared audio in a folder if it is what would be made now, else None."""
    try:
        prepared = load_prepared(folder)
    except InputError:
        return None
    asked = (source_version, settings)
    return prepared if (prepared.source_version, prepared.settings) == asked else None


def leaks(prepared: PreparedAudio) -> list[str]:
    """Name every overlap of held-out with training audio of the same recording, known by its hash.

    Returns:
        One line per overlap, for a person; empty when nothing leaks.
    """
    training: dict[str, list[tuple[float, float, Piece]]] = {}
    for piece in prepared.pieces:
        if piece.set == "training":
            spans = training.setdefault(piece.source_sha256, [])
            spans += [(start, end, piece) for start, end in piece.spans]
    return [
        f"{held.file} and {other.file} both hold"
        f" {max(start, first):.3f} to {min(end, last):.3f} s of {held.source}"
        for held in prepared.pieces
        if held.set == "heldout"
        for start, end in held.spans
        for first, last, other in training.get(held.source_sha256, [])
        if max(start, first) < min(end, last)
    ]


def write_index(prepared: PreparedAudio) -> None:
    """Write ``audio.json`` into the folder of prepared audio."""
    index = {
        "sample_rate": SAMPLE_RATE,
        "source_version": prepared.source_version,
        "training_seconds": round(prepared.training_seconds, 3),
        "heldout_seconds": round(prepared.heldout_seconds, 3),
        "settings": asdict(prepared.settings),
        "sessions": [asdict(session) for session in prepared.sessions],
        "pieces": [asdict(piece) for piece in prepared.pieces],
        "repeats": list(prepared.repeats),
    }
    write_json(prepared.folder / INDEX, index)
