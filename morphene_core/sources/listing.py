"""Which files lie in a folder of recordings."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from morphene_core.files import combined_hash


def source_paths(folder: Path) -> list[str]:
    """Return the files below a folder, POSIX, relative to it, sorted.

    Hidden files and notes beside the audio (README*, *.md, *.json) are passed over. A linked folder
    counts, each one once: links can circle. A folder that cannot be read is given in place of its
    files.
    """
    return sorted(path.relative_to(folder).as_posix() for path in _walk(folder, set()))


def fingerprint(files: Iterable[Path]) -> str:
    """Return what tells files from themselves as they were: names, sizes, times of change."""
    facts = [(file, file.lstat()) for file in files]
    return combined_hash([f"{str(file)!a} {s.st_size} {s.st_mtime_ns}" for file, s in facts])


def printable(path: str) -> str:
    """Return a path as one line of text that every terminal and file takes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def is_text(path: str) -> bool:
    """Whether a file's name is valid UTF-8, so that it can be written down."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; no, if the folder around it may not be entered."""
    try:
        return path.is_dir()
    except OSError:
        return False


def megabytes(path: Path) -> float:
    """Return the size of a file; 0 of what is none, or may not be looked at."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return 0.0
    return status.st_size / 1e6 if stat.S_ISREG(status.st_mode) else 0.0


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    if (real := folder.resolve()) in seen:
        return
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if is_folder(entry):
            yield from _walk(entry, seen)
        elif not _is_note(entry.name.casefold()):
            yield entry


def _is_note(name: str) -> bool:
    return name.startswith("readme") or name.endswith((".md", ".json"))
