"""The register of a role's recordings: every file with its verdict.

The manifest says what ought to be there, the folder what is; the register holds both against each
other, once every file has been read.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from morphene_core.audio.coverage import coverage_counter
from morphene_core.audio.threads import Advance, in_threads
from morphene_core.errors import InputError
from morphene_core.files import combined_hash, read_json, sha256, write_json
from morphene_core.home import InstrumentPaths, Role
from morphene_core.progress import Progress, Report, silent
from morphene_core.sources.duplicates import find_duplicates
from morphene_core.sources.examination import Examination, Finding, Verdict, verdict_of
from morphene_core.sources.examine import examine
from morphene_core.sources.listing import is_folder, is_text, megabytes, printable, source_paths
from morphene_core.sources.manifest import File, Manifest, Source, read_manifest

VERSION = 1
"""Of the examination. Files are examined anew when it rises."""


@dataclass(frozen=True)
class SourceFile:
    """One file in a folder of recordings, or one that ought to be there.

    Attributes:
        path: POSIX, relative to the folder.
        source: name of the manifest's source that it belongs to; "" if it is in none.
        examination: what was found when it was read.
        findings: what is wrong with it: as examined, and beside the manifest and the other files.
        modified_ns: time of its last change, by which an unchanged file is known again.
    """

    path: str
    source: str
    examination: Examination
    findings: tuple[Finding, ...] = ()
    modified_ns: int = 0

    @property
    def verdict(self) -> Verdict:
        """Whether the file is used."""
        return verdict_of(self.findings)

    @property
    def reason(self) -> str:
        """What is wrong with the file, in one line; the rejecting findings first."""
        return "; ".join(f.text for f in sorted(self.findings, key=lambda f: not f.rejects))

    @property
    def seconds(self) -> float:
        """Duration of what can be read."""
        return self.examination.seconds


@dataclass(frozen=True)
class SourceRegister:
    """All files of one role of an instrument, sorted by path, and the sources they belong to."""

    role: Role
    sources: tuple[Source, ...]
    files: tuple[SourceFile, ...]

    @property
    def accepted(self) -> tuple[SourceFile, ...]:
        """The files that are used."""
        return accepted(self.files)

    @property
    def seconds(self) -> float:
        """Duration of the files that are used."""
        return sum(file.seconds for file in self.accepted)

    @property
    def data_version(self) -> str:
        """One hash of the contents and relative paths of the files that are used."""
        return combined_hash([f"{file.examination.sha256} {file.path}" for file in self.accepted])

    def of_source(self, name: str) -> tuple[SourceFile, ...]:
        """Return the files of one source."""
        return tuple(file for file in self.files if file.source == name)

    def to_json(self) -> dict[str, Any]:
        """Return the register as plain data for JSON."""
        sources = [s.model_dump(mode="json", exclude_defaults=True) for s in self.sources]
        files = [asdict(file) | {"verdict": file.verdict} for file in self.files]
        return {"version": VERSION, "role": self.role, "sources": sources, "files": files}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "SourceRegister":
        """Return the register that ``to_json`` made ``data`` from."""
        sources = tuple(Source(**source) for source in data["sources"])
        return cls(data["role"], sources, tuple(_file(file) for file in data["files"]))


def accepted(files: Iterable[SourceFile]) -> tuple[SourceFile, ...]:
    """Return the files that are used."""
    return tuple(file for file in files if file.verdict != "rejected")


def load_register(path: Path) -> SourceRegister | None:
    """Return a recorded register, or None if there is none that this version understands."""
    try:
        data = read_json(path)
        return SourceRegister.from_json(data) if data["version"] == VERSION else None
    except (FileNotFoundError, ValueError, LookupError, TypeError):  # or of no version at all
        return None


def take_stock(
    folder: Path,
    manifest: Manifest,
    role: Role,
    known: SourceRegister | None = None,
    report: Report = silent,
    verify: bool = True,
) -> SourceRegister:
    """Read the files of a role and judge each one. A bad file never stops the others.

    Args:
        folder: the recordings; a subfolder stands for one recording session. It need not exist.
        manifest: which files ought to be there.
        role: what the recordings are to the instrument.
        known: an earlier register: what was examined then is not examined again.
        report: takes progress.
        verify: compare known files by their hashes; otherwise by size and time of change.
    """
    paths = source_paths(folder) if is_folder(folder) else []
    owners = {file.path: (file, source) for source in manifest.source for file in source.files}
    strangers = [_unregistered(folder, path) for path in paths if path not in owners]
    earlier = {file.path: file for file in known.files} if known else {}
    absent = {path: why for path in owners if (why := _absence(folder / path))}
    there = [owned for path, owned in owners.items() if path not in absent]
    size = sum(megabytes(folder / entry.path) for entry, _ in there)
    progress = Progress(f"Reading {role} recordings", size, report, "MB")
    reader = _Reader(folder, role, earlier, verify)

    def read(owned: tuple[File, Source], advance: Advance) -> SourceFile:
        file = reader.read(*owned)
        advance(file.examination.bytes / 1e6)
        return file

    files = in_threads(read, there, progress) if there else []
    files += strangers + [
        SourceFile(path, owners[path][1].name, Examination(), (why,))
        for path, why in absent.items()
    ]
    files.sort(key=lambda file: file.path)
    judged = _without_duplicates(folder, files, known.files if known else ())
    return SourceRegister(role, manifest.source, tuple(judged))


def survey(
    paths: InstrumentPaths, role: Role, report: Report = silent, verify: bool = True
) -> SourceRegister:
    """Take stock of a role's recordings and record what was found.

    Raises:
        InputError: the manifest is not valid.
    """
    manifest, path = read_manifest(paths.manifest(role)), paths.register(role)
    known = load_register(path)
    register = take_stock(paths.sources(role), manifest, role, known, report, verify)
    if register != known and (register.files or register.sources or known):
        write_json(path, register.to_json())
    return register


class _Reader:
    """Reads registered files, unless they are known from before."""

    def __init__(
        self, folder: Path, role: Role, earlier: dict[str, SourceFile], verify: bool
    ) -> None:
        self._folder, self._role, self._earlier, self._verify = folder, role, earlier, verify

    def read(self, entry: File, source: Source) -> SourceFile:
        full = self._folder / entry.path
        try:
            modified = full.stat().st_mtime_ns
        except OSError:
            modified = 0  # examining it says why
        examination = self._known(entry.path, modified) or examine(
            self._folder, entry.path, lambda rate: coverage_counter(self._role, rate)
        )
        findings = examination.findings
        if examination.sha256 and examination.sha256 != entry.sha256:
            changed = "is not the file that was registered: put that back, or add this one anew"
            findings = (Finding("changed", changed), *findings)
        return SourceFile(entry.path, source.name, examination, findings, modified)

    def _known(self, path: str, modified: int) -> Examination | None:
        """Return the earlier examination of a file that has not changed since."""
        if not (before := self._earlier.get(path)) or not before.examination.sha256:
            return None
        full, examination = self._folder / path, before.examination
        try:
            if not full.is_file() or full.stat().st_size != examination.bytes:
                return None
            if self._verify:
                same = sha256(full) == examination.sha256
            else:
                same = modified == before.modified_ns
        except OSError:
            return None
        return examination if same else None


def _absence(path: Path) -> Finding | None:
    """Say why there is nothing to read under a registered path, if that is so."""
    try:
        path.lstat()
    except PermissionError:
        text = "may not be read by this user: give its folder permission (chmod -R u+rX)"
        return Finding("unreadable", text)
    except (OSError, ValueError):
        return Finding("missing", "is in the manifest and not in the folder: put it back")
    return None


def _unregistered(folder: Path, path: str) -> SourceFile:
    full = folder / path
    if is_folder(full):
        finding = Finding("unreadable", "folder may not be read by this user: chmod -R u+rX")
    elif not is_text(path):
        finding = Finding("unreadable", "its name is no valid UTF-8: rename it")
    else:
        finding = Finding("not registered", "no licence is known: `morphene sources add` it")
    return SourceFile(printable(path) if not is_text(path) else path, "", Examination(), (finding,))


def _without_duplicates(
    folder: Path, files: Sequence[SourceFile], known: Sequence[SourceFile]
) -> Iterator[SourceFile]:
    """Give the files, those with the same content as a better one rejected.

    Copies are looked for only where the files are not the ones of an earlier register: with many
    clips that are alike it may take minutes.
    """
    candidates = _candidates(files)
    if {(f.path, f.examination.sha256) for f in candidates} == {
        (f.path, f.examination.sha256) for f in _candidates(known)
    }:
        found = {f.path: f.findings[:1] for f in known if _is_copy(f)}
    else:
        copies = find_duplicates([(f.path, f.examination) for f in candidates], folder)
        text = "has the same content as {}: one of them is enough".format
        found = {
            path: (Finding("duplicate", text(printable(original))),)
            for path, original in copies.items()
        }
    for file in files:
        yield replace(file, findings=(*found.get(file.path, ()), *file.findings))


def _candidates(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Return the files that nothing rejects, unless it is that they are copies."""
    return [
        file
        for file in files
        if not any(f.rejects and f.code != "duplicate" for f in file.findings)
    ]


def _is_copy(file: SourceFile) -> bool:
    return any(finding.code == "duplicate" for finding in file.findings)


def require_some(register: SourceRegister, folder: Path) -> None:
    """Refuse a register without a file that can be used.

    Raises:
        InputError: none can; the first reason is named, the other files are counted.
    """
    if register.accepted:
        return
    if not register.files:
        raise InputError(
            f"{folder} holds no recordings. Add some with `morphene sources add`, or lay them"
            " there and register them with it."
        )
    first = register.files[0]
    more = f" (and {len(register.files) - 1} more files)" if len(register.files) > 1 else ""
    raise InputError(f"{folder / first.path} cannot be used: {first.reason}{more}.")


def _file(data: dict[str, Any]) -> SourceFile:
    return SourceFile(
        data["path"],
        data["source"],
        Examination.from_json(data["examination"]),
        tuple(Finding(**finding) for finding in data["findings"]),
        data["modified_ns"],
    )
