"""The examination of one raw file: read from end to end, and judged."""

import errno
import hashlib
import os
from pathlib import Path

from morphene_core.audio.decode import AudioStream, NoAudioError, open_audio
from morphene_core.audio.stream import regular_file
from morphene_core.errors import InputError
from morphene_core.sources.examination import Code, Examination, Finding
from morphene_core.sources.faults import absurd_header, decibels, find_faults
from morphene_core.sources.scan import Coverage, Scan
from morphene_core.sources.sketch import sketch

_HASH_BYTES = 1 << 20


def examine(folder: Path, path: str, coverage: Coverage | None = None) -> Examination:
    """Read one file from end to end and judge it. A bad file is a finding, never an exception.

    Args:
        folder: the source folder.
        path: the file, POSIX, relative to ``folder``.
        coverage: makes a consumer that is fed the mono mix; its result becomes
            `Examination.coverage`, unless the file is rejected.
    """
    full = folder / path
    try:
        path.encode()
    except UnicodeEncodeError:
        return _failed("unreadable", "the name is not valid UTF-8: rename the file")
    try:
        with regular_file(full) as descriptor:
            before = os.fstat(descriptor)
            digest = _hash(descriptor)
            examination = _examine_audio(full, digest, before.st_size, coverage)
            changed = _identity(before) != _identity(full.stat())
    except OSError as error:
        return _failed("unreadable", _explain(full, error))
    if changed:
        return _failed("unreadable", "changed while it was read: wait until its copy is complete")
    return examination


def _failed(code: Code, text: str, digest: str = "", size: int = 0) -> Examination:
    return Examination(sha256=digest, bytes=size, findings=(Finding(code, text),))


def _hash(descriptor: int) -> str:
    digest = hashlib.sha256()
    while block := os.read(descriptor, _HASH_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _explain(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a link that leads to itself: mend or remove the link"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "may not be read by this user: give read permission (chmod -R u+rX)"
    if path.is_symlink() and not path.exists():
        return "a link to a file that does not exist: mend or remove the link"
    if error.errno == errno.ENOENT:
        return "vanished while it was read: leave the folder unchanged and try again"
    if error.errno == errno.EINVAL:
        return "not a regular file: replace it by the recording itself"
    return f"cannot be read ({error.strerror}): check the disk or copy the file again"


def _examine_audio(path: Path, digest: str, size: int, coverage: Coverage | None) -> Examination:
    try:
        with open_audio(path) as stream:
            if absurd := absurd_header(stream):
                return Examination(digest, size, stream.format, findings=(absurd,))
            scan = Scan(stream.sample_rate, stream.channels, coverage)
            for block in stream.blocks():
                if len(block):
                    scan.feed(block)
            return _summary(stream, scan, digest, size)
    except NoAudioError as error:
        return _failed("no audio", str(error), digest, size)
    except InputError as error:
        return _failed("unreadable", str(error), digest, size)


def _summary(stream: AudioStream, scan: Scan, digest: str, size: int) -> Examination:
    findings = find_faults(stream, scan)
    accepted = not any(finding.rejects for finding in findings)
    return Examination(
        sha256=digest,
        bytes=size,
        format=stream.format,
        sample_rate=stream.sample_rate,
        channels=stream.channels,
        frames=scan.frames,
        peak_dbfs=decibels(scan.peak**2),
        dc_offset=scan.mono_sum / max(scan.frames, 1),
        findings=tuple(findings),
        sketch=sketch(scan.spectrum, scan.course) if accepted else (),
        coverage=scan.consumer.result() if scan.consumer and accepted else None,
    )
