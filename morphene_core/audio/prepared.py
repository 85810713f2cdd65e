"""Prepared audio on disk: what was written, where each piece comes from, and how it was made."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.errors import InputError
from morphene_core.files import combined_hash, read_json, write_json

INDEX = "audio.json"


@dataclass(frozen=True)
class AudioSettings:
    """How audio is prepared.

    Attributes:
        loudness_lufs: integrated loudness that each session is brought to.
        true_peak_dbtp: ceiling of each session's true peak; it goes before the loudness.
        silence_db: level under which a frame is silent, relative to the session's loudest frame.
        pad_before_seconds: silence kept before the first sound, for its attack.
        pad_after_seconds: silence kept after the last sound, for its decay.
        fade_seconds: fade at both ends of every piece.
        heldout_share: share of the audio that is held out of the training.
        heldout_min_seconds: least held-out audio (but never more than a third of all).
        heldout_max_seconds: most held-out audio.
        heldout_stretches: over how many places the held-out audio is spread.
        heldout_stretch_seconds: wished least length of one of them.
        least_seconds: audio under which no instrument is worth training.
    """

    loudness_lufs: float = -20.0
    true_peak_dbtp: float = -1.0
    silence_db: float = -60.0
    pad_before_seconds: float = 0.05
    pad_after_seconds: float = 0.25
    fade_seconds: float = 0.005
    heldout_share: float = 0.1
    heldout_min_seconds: float = 6.0
    heldout_max_seconds: float = 180.0
    heldout_stretches: int = 4
    heldout_stretch_seconds: float = 1.5
    least_seconds: float = 10.0


@dataclass(frozen=True)
class Session:
    """One recording session: the files of one folder, which share one gain.

    Attributes:
        folder: POSIX, relative to the source folder; "." for the folder itself.
        gain_db: what every file of the session was amplified by.
        lufs_before: integrated loudness of the trimmed files; None under the gate of -70 LUFS.
        lufs_after: the same after the gain.
        true_peak_before_dbtp: true peak of the files.
        true_peak_after_dbtp: the same after the gain.
        left_out: files that are silent throughout beside the rest of their session.
    """

    folder: str
    gain_db: float
    lufs_before: float | None
    lufs_after: float | None
    true_peak_before_dbtp: float
    true_peak_after_dbtp: float
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """One written file and where it comes from.

    Attributes:
        file: POSIX, relative to the prepared folder.
        set: what the piece may be used for.
        source: the source file, POSIX, relative to the source folder.
        source_sha256: hash of the source file.
        start_seconds: where the piece begins in the source.
        end_seconds: where it ends in the source.
        frames: samples at 48 kHz.
        sha256: hash of the written file.
    """

    file: str
    set: Literal["training", "heldout"]
    source: str
    source_sha256: str
    start_seconds: float
    end_seconds: float
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
    """

    folder: Path
    source_version: str
    settings: AudioSettings
    sessions: tuple[Session, ...]
    pieces: tuple[Piece, ...]

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
    def data_version(self) -> str:
        """One hash of the written files, their names and sets."""
        return combined_hash([f"{piece.sha256} {piece.file}" for piece in self.pieces])


def load_prepared(folder: Path) -> PreparedAudio:
    """Return what ``prepare_audio`` published in a folder.

    Raises:
        InputError: nothing was published there.
    """
    index = folder / INDEX
    if not index.is_file():
        raise InputError(f"{folder} holds no prepared audio. Prepare the audio first.")
    data = read_json(index)
    sessions = (
        Session(**{**session, "left_out": tuple(session["left_out"])})
        for session in data["sessions"]
    )
    pieces = (Piece(**piece) for piece in data["pieces"])
    return PreparedAudio(
        folder,
        data["source_version"],
        AudioSettings(**data["settings"]),
        tuple(sessions),
        tuple(pieces),
    )


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
    }
    write_json(prepared.folder / INDEX, index)
