"""Taking recordings into an instrument's folders, and out of them again."""

import errno
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import tomlkit

from morphene_core.audio.stream import regular_file
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import atomic_file, sha256, write_json, write_text
from morphene_core.home import InstrumentPaths, Role
from morphene_core.progress import Progress, Report, silent
from morphene_core.sources.edits import (
    before_what_follows,
    delete,
    enter,
    follow,
    note_durations,
    record,
    table_of,
)
from morphene_core.sources.listing import (
    is_folder,
    is_text,
    megabytes,
    printable,
    source_paths,
)
from morphene_core.sources.manifest import Manifest, edit_manifest, validated
from morphene_core.sources.register import SourceFile, load_register, take_stock


@dataclass
class Added:
    """What came of adding recordings.

    Attributes:
        source: name of the source.
        files: the files that were registered, with their verdicts.
        known: files whose content is registered already, with the path that it has there.
        refused: files that could not be taken in, with the reason.
    """

    source: str
    files: list[SourceFile] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def add_source(
    paths: InstrumentPaths,
    role: Role,
    facts: dict[str, Any],
    recordings: Sequence[Path] = (),
    document: Path | None = None,
    link: bool = False,
    report: Report = silent,
) -> Added:
    """Register recordings as a source, or add them to the source of that name.

    Files are copied into a folder named after the source and keep their subfolders (each is a
    recording session). Files that lie in the role's folder already are registered where they are.
    The originals are never changed. The same again, after an interruption too, does only what is
    not done.

    Args:
        paths: of the instrument.
        role: what the recordings are to it.
        facts: fields of `morphene_core.sources.manifest.Source`, at least its name; for a source
            that is there already, only those that are to change.
        recordings: files and folders; none for a source that is expected.
        document: contract or consent; it is copied into ``documents/`` beside the recordings.
        link: link the files in place of copying them.
        report: takes progress.

    Raises:
        InputError: the facts are not valid, a path does not exist, or the document is no file.
        MorpheneError: a file cannot be written (no space left).
    """
    for path in (*recordings, *([document] if document else [])):
        if not os.path.lexists(path):
            raise InputError(f"{path} does not exist. Check the path.")
    folder, manifest = paths.sources(role), paths.manifest(role)
    name = str(facts["name"]).strip()
    with edit_manifest(manifest, paths.slug, role) as edited:
        if document:
            facts = facts | _attach(paths, document)
        table = table_of(edited, name)
        added = Added(str(table["name"]))
        with before_what_follows(table):
            given = {key: value for key, value in facts.items() if value is not None}
            table.update(given | {"name": added.source})
            before = validated(manifest, edited)  # wrong facts are refused before hours are copied
            _sweep(folder)
            taken, moved = _take_in(folder, before, recordings, link, added, report)
            follow(edited, moved)
            if taken and facts.get("expected_seconds") is None:
                table.pop("expected_seconds", None)
            enter(table, taken)
            known = load_register(paths.register(role))
            now = validated(manifest, edited)
            register = take_stock(folder, now, role, known, report, verify=False)
            write_json(paths.register(role), register.to_json())
            added.files = [file for file in register.files if file.path in taken]
            note_durations(table, {file.path: file.seconds for file in added.files})
            if taken:
                count = f"{len(taken)} file{'s' * (len(taken) > 1)}"
                record(table, f"{count} {'linked' if link else 'added'}")
    return added


def remove_source(paths: InstrumentPaths, role: Role, name: str) -> Path:
    """Take a source out of the manifest, and its files out of the role's folder.

    Nothing is deleted: files and manifest entry go to ``removed/{time}-{name}/`` beside the folder.

    Returns:
        The folder that they are in now.

    Raises:
        InputError: there is no such source.
    """
    with edit_manifest(paths.manifest(role), paths.slug, role) as edited:
        manifest = validated(paths.manifest(role), edited)
        source = manifest.find(name)
        if source is None:
            names = ", ".join(repr(s.name) for s in manifest.source)
            raise InputError(
                f"{paths.slug} has no {role} source {name!r}. It has: {names or 'none'}."
            )
        index = manifest.source.index(source)
        entry = tomlkit.document()
        entry.append("source", tomlkit.item([edited.unwrap()["source"][index]]))
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{role}-{folder_name(name)}"
        target = _make_new(paths.removed / stamp)
        write_text(target / f"{role}.toml", tomlkit.dumps(entry))
        for file in source.files:
            _move(paths.sources(role), file.path, target)
        delete(edited, index)
    return target


def folder_name(name: str) -> str:
    """Return a source's name as a folder is named: plain letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.casefold()).strip("_")[:60] or "source"


def _attach(paths: InstrumentPaths, document: Path) -> dict[str, str]:
    if is_folder(document):
        raise InputError(f"{printable(str(document))} is a folder. Name the document itself.")
    try:
        digest = _digest(document, document.name)
    except OSError as error:
        raise InputError(f"{printable(str(document))}: {_explain(error)}.") from error
    target = paths.documents / document.name
    if target.exists() and sha256(target) != digest:
        target = paths.documents / f"{document.stem}-{digest[:8]}{document.suffix}"
    if not target.exists():
        with atomic_file(target) as temporary:
            shutil.copyfile(document, temporary)
    return {"document": f"documents/{target.name}", "document_sha256": digest}


def _sweep(folder: Path) -> None:
    """Delete what a killed process left of a file that it was copying."""
    for path in folder.rglob(".*.partial*"):
        if re.fullmatch(r"\..*\.\d+\.partial(\.[^.]*)?", path.name, re.DOTALL) and path.is_file():
            path.unlink(missing_ok=True)


def _take_in(
    folder: Path,
    manifest: Manifest,
    recordings: Sequence[Path],
    link: bool,
    added: Added,
    report: Report,
) -> tuple[dict[str, str], dict[str, str]]:
    """Bring files into the role's folder.

    Returns:
        The new ones' hashes by their paths there; and the registered ones' paths before, by those
        that they were found under now.
    """
    files = [pair for path in recordings for pair in _files_of(folder, added.source, path)]
    if recordings and not files:
        raise InputError(f"{recordings[0]} holds no files. Name files, or folders that hold some.")
    total = sum(megabytes(origin) for origin, _ in files)
    progress = Progress("Taking in recordings", total, report, "MB")
    holders = {file.path: source.name for source in manifest.source for file in source.files}
    owned = {file.sha256: file.path for source in manifest.source for file in source.files}
    taken: dict[str, str] = {}
    moved: dict[str, str] = {}
    done = 0.0
    for origin, place in files:
        shown = printable(str(origin))
        done += megabytes(origin)
        try:
            digest = _digest(origin, place)
            if digest not in owned:
                path = _bring(origin, folder, place, digest, link, holders, added.source)
                owned[digest], taken[path] = path, digest
            else:
                added.known[shown] = known = owned[digest]
                if not os.path.lexists(folder / known) and _lies_at(origin, folder / place):
                    moved[place], owned[digest] = known, place
                elif not os.path.lexists(folder / known):
                    _put(origin, folder / known, link)
        except OSError as error:
            added.refused[shown] = _explain(error)
        progress.advance(min(done, total), shown)
    return taken, moved


def _files_of(folder: Path, name: str, path: Path) -> Iterator[tuple[Path, str]]:
    """Give the files that a path of the user's stands for, and their places in the role's folder.

    What lies in the role's folder already stays where it is.
    """
    inside = _place_inside(folder, path)
    if not is_folder(path):
        place = PurePosixPath(folder_name(name)) / path.name if inside is None else inside
        yield path, place.as_posix()
        return
    top = PurePosixPath(folder_name(name)) / path.resolve().name if inside is None else inside
    around = inside is None and folder.resolve().is_relative_to(path.resolve())
    for below in source_paths(path):
        found = _place_inside(folder, path / below) if around else None
        yield path / below, (found or top / below).as_posix()


def _place_inside(folder: Path, path: Path) -> PurePosixPath | None:
    # Not resolved to the end: a link in the folder is a file of it, wherever it leads.
    named = path.name not in ("", "..")
    absolute = path.parent.resolve() / path.name if named else path.resolve()
    try:
        return PurePosixPath(absolute.relative_to(folder.resolve()).as_posix())
    except ValueError:
        return None


def _digest(origin: Path, place: str) -> str:
    """Return a file's hash, without waiting for what is no regular file.

    Raises:
        OSError: it cannot be read, or its name cannot be written down.
    """
    if not is_text(place):
        raise OSError(errno.EILSEQ, "its name is no valid UTF-8: rename it")
    if is_folder(origin):  # which could not be listed
        raise OSError(errno.EACCES, "")
    with regular_file(origin):
        return sha256(origin)


def _bring(
    origin: Path,
    folder: Path,
    place: str,
    digest: str,
    link: bool,
    holders: dict[str, str],
    source: str,
) -> str:
    """Copy or link a file to its place, unless it is there; return the path that it has.

    Args:
        origin: the file.
        folder: of the role.
        place: where it is to lie in the folder.
        digest: its hash.
        link: whether to link it.
        holders: names of the sources that have a file at a place.
        source: the one that the file is for.
    """
    target = folder / place
    if _lies_at(origin, target):
        if (holder := holders.get(place, source)) != source:
            raise OSError(errno.EEXIST, f"has changed, and belongs to {holder!r}: add it to that")
        return place
    if place in holders or (os.path.lexists(target) and not _holds(target, digest)):
        # Another take of the same name: beside it, under a name of its own.
        target = target.with_name(f"{target.stem}-{digest[:8]}{target.suffix}")
    if not os.path.lexists(target):
        _put(origin, target, link)
    return target.relative_to(folder).as_posix()


def _lies_at(origin: Path, target: Path) -> bool:
    return origin.absolute() == target.absolute() or (
        origin.parent.resolve() / origin.name == target.parent.resolve() / target.name
    )


def _put(origin: Path, target: Path, link: bool) -> None:
    """Copy or link a file.

    Raises:
        MorpheneError: nothing can be written.
        OSError: this file cannot be copied.
    """
    try:
        if link:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(origin.resolve())
            return
        with atomic_file(target) as temporary:
            shutil.copyfile(origin, temporary)
            shutil.copystat(origin, temporary)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG or not origin.exists():
            raise
        raise MorpheneError(
            f"{printable(str(target))} cannot be written: {error.strerror}. Files before it are"
            " there; the same command goes on from them."
        ) from error


def _holds(path: Path, digest: str) -> bool:
    try:
        return path.is_file() and sha256(path) == digest
    except OSError:
        return False


_REASONS = {
    errno.ENOENT: "is missing, or a link to a file that does not exist",
    errno.EACCES: "may not be read by this user: chmod u+r (for folders u+rx)",
    errno.EPERM: "may not be read by this user: chmod u+r (for folders u+rx)",
    errno.ELOOP: "is a link that leads to itself: remove it",
    errno.EINVAL: "is not a regular file: put the recording itself there",
    errno.ENAMETOOLONG: "its name is too long: shorten it",
}


def _explain(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, str(error.strerror))


def _make_new(folder: Path) -> Path:
    """Make a folder of this name, or with a number after it where there is one."""
    target, number = folder, 1
    while os.path.lexists(target):
        number += 1
        target = folder.with_name(f"{folder.name}-{number}")
    target.mkdir(parents=True)
    return target


def _move(folder: Path, path: str, removed: Path) -> None:
    """Move a file out of the role's folder, and the folders that it leaves empty go."""
    file, target = folder / path, removed / path
    if not os.path.lexists(file):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if not file.parent.resolve().is_relative_to(folder.resolve()):
        target.symlink_to(file.resolve())  # it lies behind a linked folder: not ours to move
        return
    if file.is_symlink():
        target.symlink_to(file.parent.resolve() / file.readlink())
        file.unlink()
    else:
        shutil.move(file, target)
    for parent in PurePosixPath(path).parents[:-1]:
        with suppress(OSError):  # it holds something else
            (folder / parent).rmdir()
