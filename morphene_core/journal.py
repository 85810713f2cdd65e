"""Logs that are only ever added to: one JSON object a line, safe with several writers and kills."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from morphene_core.errors import MorpheneError
from morphene_core.files import locked, sync

_WAIT_SECONDS = 30.0


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record to a journal; it is on the disk when this returns.

    Writers take turns by a lock file beside the journal. A line that a killed writer left torn is
    ended first, so that it spoils no other. A write that fails takes back what it wrote.

    Args:
        path: of the journal, which need not exist.
        record: what JSON can hold; no NaN and no infinity.

    Raises:
        MorpheneError: it cannot be written (no space, no permission).
        InputError: another process holds the journal for longer than half a minute.
        ValueError: the record holds a number that is not finite.
    """
    text = json.dumps(dict(record), ensure_ascii=False, allow_nan=False)
    line = text.encode("utf-8", "backslashreplace") + b"\n"  # a lone surrogate as JSON spells it
    busy = f"{path} is being written by another process. Try again."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock"), busy, _WAIT_SECONDS):
            _write(path, line)
    except OSError as error:
        raise MorpheneError(
            f"{path} cannot be written ({error.strerror}): nothing was recorded. Mend that and try"
            " again."
        ) from error


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a journal, the oldest first; none if there is no such file.

    Lines that are no JSON object are passed over: a killed writer left them torn. A part of an
    object is never one itself, so that nothing half-written is taken for whole.

    Raises:
        MorpheneError: the file cannot be read.
    """
    return [record for record in read_whole(path) if record is not None]


def read_whole(path: Path) -> list[dict[str, Any] | None]:
    """Return what `read` returns, with None for each line that is no JSON object.

    Raises:
        MorpheneError: the file cannot be read.
    """
    return [_parsed(line) for line in _lines(path)]


def _lines(path: Path) -> list[bytes]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MorpheneError(f"{path} cannot be read ({error.strerror}). Mend that.") from error
    return lines[:-1] if lines[-1] == b"" else lines


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _write(path: Path, line: bytes) -> None:
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        try:
            _write_all(descriptor, b"\n" + line if torn else line)
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if is_new:
        sync(path.parent)  # the name, too, outlives a loss of power


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
