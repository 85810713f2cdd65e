"""The raw source files of an instrument: found, probed and registered.

A source that is damaged must be noticed here, within seconds and by name, rather than as a strange
sound in an instrument that was trained for days. Every file is therefore read from end to end.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from morphene_core.errors import InputError
from morphene_core.files import combined_hash
from morphene_core.home import Role
from morphene_core.progress import Progress, Report, silent

SILENT_PEAK = 2.0**-15
"""A peak up to one step of 16-bit audio (-90 dBFS) is dither, not sound."""

_BLOCK_FRAMES = 1 << 16
_BLOCK_BYTES = 1 << 20
_UNSUPPORTED = {
    ".m4a", ".m4b", ".mp4", ".mov", ".aac", ".ac3", ".alac", ".amr", ".ape", ".dsf", ".mka",
    ".mkv", ".webm", ".wma", ".wv",
}  # fmt: skip

# A writer that cannot seek back (ffmpeg or sox into a pipe) leaves one of these as the size.
_UNKNOWN_SIZES = {0x7FFFF000, 0x7FFFFFDB, 0x7FFFFFFF, 0xFFFFFFFF}
_SIZE = re.compile(r"^ *(?:data|SSND|Data Size|riff) *: (\d+) \(should be (\d+)\)", re.MULTILINE)
_RF64_FRAMES = re.compile(r"frame count (\d+) does not match value from 'ds64' chunk of (\d+)")


@dataclass(frozen=True)
class SourceFile:
    """One audio file that was read completely. ``path`` is POSIX, relative to its folder."""

    path: str
    sha256: str
    bytes: int
    format: str
    sample_rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.frames / self.sample_rate


@dataclass(frozen=True)
class SourceRegister:
    """All source files of one role of an instrument, sorted by path."""

    role: Role
    folder: Path
    files: tuple[SourceFile, ...]

    @property
    def seconds(self) -> float:
        """Duration of all files together."""
        return sum(file.seconds for file in self.files)

    @property
    def data_version(self) -> str:
        """One hash of the files' contents and relative paths."""
        return combined_hash([f"{file.sha256} {file.path}" for file in self.files])

    def to_json(self) -> dict[str, Any]:
        """Return the register as plain data for JSON."""
        files = [asdict(file) for file in self.files]
        return {"role": self.role, "folder": str(self.folder), "files": files}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SourceRegister":
        """Return the register that ``to_json`` made ``data`` from."""
        files = tuple(SourceFile(**file) for file in data["files"])
        return cls(data["role"], Path(data["folder"]), files)


def register_sources(folder: Path, role: Role, report: Report = silent) -> SourceRegister:
    """Probe every audio file in a folder and its subfolders.

    Hidden files and notes beside the audio (README*, *.md, *.json) are passed over; every other
    file must be audio.

    Args:
        folder: the raw recordings; a subfolder stands for one recording session.
        role: what the recordings are to the instrument.
        report: takes lines about the progress.

    Raises:
        InputError: the folder is missing or holds no audio, or files in it are unusable. The
            first of these is named, the others are counted.
    """
    paths = _source_paths(folder)
    progress = Progress(f"Reading {role} sources", len(paths), report, "files")
    files, errors = [], []
    for done, path in enumerate(paths, 1):
        try:
            files.append(probe_file(folder, path))
        except InputError as error:
            errors.append(error)
        progress.advance(done, path)
    if errors:
        more = f"\n(and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"{errors[0]}{more}")
    return SourceRegister(role, folder, tuple(files))


def probe_file(folder: Path, path: str) -> SourceFile:
    """Read one source file from end to end.

    Args:
        folder: the source folder.
        path: the file, POSIX, relative to ``folder``.

    Raises:
        InputError: the file is no regular file, cannot be read, changes while it is read, is no
            audio that libsndfile reads, is truncated or damaged, is silent, or holds samples that
            are not finite.
    """
    full = folder / path
    try:
        descriptor = _open_regular(full)
        try:
            before = os.fstat(descriptor)
            digest = _hash(descriptor)
            os.lseek(descriptor, 0, os.SEEK_SET)
            source = _read_audio(full, descriptor, digest, path, before.st_size)
            after = full.stat()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(_explain_os_error(full, error)) from error
    if _identity(before) != _identity(after):
        raise InputError(f"{full} changed while it was read. Wait until its copy is complete.")
    return source


def _source_paths(folder: Path) -> list[str]:
    if not folder.exists():
        raise InputError(f"{folder} does not exist. Make the folder and put recordings into it.")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file. Put the recordings into a folder and name that.")
    found = sorted(path.relative_to(folder).as_posix() for path in _walk(folder, set()))
    for path in found:
        if not path.isprintable():  # line breaks, or bytes that are not UTF-8
            raise InputError(f"{folder}: the file name {path!r} is not printable. Rename the file.")
    if not found:
        raise InputError(f"{folder} holds no audio. Put recordings into it, e.g. WAV or FLAC.")
    return found


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Give the files below a folder; a linked folder counts, each one once (links can circle)."""
    if (real := folder.resolve()) in seen:
        return
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(_explain_os_error(folder, error)) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, seen)
        elif not _is_note(entry.name.casefold()):
            yield entry


def _is_note(name: str) -> bool:
    return name.startswith("readme") or name.endswith((".md", ".json"))


def _open_regular(path: Path) -> int:
    """Open a regular file; nothing else is opened, because a fifo or a device could block."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise InputError(f"{path} is not a regular file. Replace it by the recording itself.")
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _hash(descriptor: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(descriptor, _BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _read_audio(full: Path, descriptor: int, digest: str, path: str, size: int) -> SourceFile:
    # By descriptor, libsndfile goes by the contents alone: a name like x.raw would be believed.
    try:
        with soundfile.SoundFile(descriptor, closefd=False) as sound:
            read, peak = _scan(full, sound)
            announced = max(sound.frames, _announced_frames(sound))
            kind = f"{sound.format} {sound.subtype}"
            rate, channels = sound.samplerate, sound.channels
    except soundfile.LibsndfileError as error:
        raise InputError(_explain_unreadable(full, descriptor, size, error)) from error
    if read != announced:
        raise InputError(
            f"{full} is truncated: it announces about {announced:,} frames and holds {read:,}."
            " Copy or export it again."
        )
    if not read:
        raise InputError(f"{full} holds no samples. Remove it or export it again.")
    if peak <= SILENT_PEAK:
        raise InputError(f"{full} is silent. Remove it or replace it by a recording with sound.")
    return SourceFile(path, digest, size, kind, rate, channels, read)


def _scan(full: Path, sound: soundfile.SoundFile) -> tuple[int, float]:
    """Return how many frames can be read, and their peak."""
    read, peak = 0, 0.0
    while len(block := sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            second = read / sound.samplerate
            raise InputError(
                f"{full} holds samples that are not finite (NaN or infinite) near {second:.1f} s."
                " Export it again."
            )
        read += len(block)
        peak = max(peak, float(np.abs(block).max()))
    return read, peak


def _announced_frames(sound: soundfile.SoundFile) -> int:
    """Return the length by the header, where libsndfile has corrected it silently.

    For a truncated WAV, AIFF, AU, W64 or RF64 file libsndfile reports what is there and mentions
    the header's claim only in its log.
    """
    log = sound.extra_info
    if match := _RF64_FRAMES.search(log):
        return int(match[2])
    for match in _SIZE.finditer(log):
        claimed, there = int(match[1]), int(match[2])
        if claimed > there + 8 and claimed not in _UNKNOWN_SIZES:  # 8: padding, miscounted headers
            frames: int = sound.frames
            return max(frames + 1, round(frames * claimed / max(there, 1)))
    return 0


def _explain_unreadable(
    path: Path, descriptor: int, size: int, error: soundfile.LibsndfileError
) -> str:
    if not size:
        return f"{path} is empty (0 bytes). Copy it again or remove it."
    head = os.pread(descriptor, 12, 0)
    if path.suffix.casefold() in _UNSUPPORTED or head[4:8] == b"ftyp":
        return (
            f"{path} has a format that Morphene does not read. Convert it to WAV or FLAC, e.g. with"
            f'\nffmpeg -i "{path.name}" "{path.stem}.wav"'
        )
    if error.code == 1:  # SF_ERR_UNRECOGNISED_FORMAT
        return f"{path} is not an audio file. Remove it or replace it by WAV or FLAC."
    detail = error.error_string.strip().rstrip(".")
    return f"{path} is truncated or damaged ({detail}). Copy or export it again."


def _explain_os_error(path: Path, error: OSError) -> str:
    if path.is_symlink() and not path.exists():
        return f"{path} is a link to a file that does not exist. Mend or remove the link."
    if error.errno == errno.ENOENT:
        return f"{path} vanished while it was read. Leave the folder unchanged and try again."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path} may not be read by this user. Give read permission (chmod -R u+rX)."
    return f"{path} cannot be read: {error.strerror}. Check the disk or copy the file again."
