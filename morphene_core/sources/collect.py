"""Taking recordings into an instrument's folders, and out of them again."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import tomlkit

from morphene_core.audio.stream import regular_file
from morphene_core.errors import InputError
from morphene_core.files import atomic_file, sha256, sweep, write_json, write_text
from morphene_core.home import InstrumentPaths, Role
from morphene_core.progress import Report, silent
from morphene_core.sources.edits import (
    before_what_follows,
    changes_of,
    delete,
    enter,
    follow,
    note_durations,
    record,
    table_of,
)
from morphene_core.sources.intake import Intake, explain, folder_name
from morphene_core.sources.listing import is_folder, printable
from morphene_core.sources.manifest import edit_manifest, validated
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
            facts = facts | attach_document(paths, document)
        table = table_of(edited, name)
        added = Added(str(table["name"]))
        with before_what_follows(table):
            given = {key: value for key, value in facts.items() if value is not None}
            given = given | {"name": added.source}
            changes = changes_of(table, given)
            table.update(given)
            before = validated(manifest, edited)  # wrong facts are refused before hours are copied
            sweep(folder)
            intake = Intake(folder, before, added.source, link)
            intake.take(recordings, report)
            taken, added.known, added.refused = intake.taken, intake.known, intake.refused
            follow(edited, intake.moved)
            if taken and facts.get("expected_seconds") is None:
                table.pop("expected_seconds", None)
            enter(table, taken)
            known = load_register(paths.register(role))
            now = validated(manifest, edited)
            register = take_stock(folder, now, role, known, report, verify=False)
            write_json(paths.register(role), register.to_json())
            added.files = [file for file in register.files if file.path in taken]
            note_durations(table, {file.path: file.seconds for file in added.files})
            if changes:
                record(table, changes)
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


def attach_document(paths: InstrumentPaths, document: Path) -> dict[str, str]:
    """Copy a contract or consent into the documents of an instrument, under a name of its own.

    Returns:
        ``document``, its place relative to the instrument's folder of sources, and
        ``document_sha256``.

    Raises:
        InputError: it is no file that can be read.
    """
    if is_folder(document):
        raise InputError(f"{printable(str(document))} is a folder. Name the document itself.")
    try:
        with regular_file(document):
            digest = sha256(document)
    except OSError as error:
        raise InputError(f"{printable(str(document))}: {explain(error)}.") from error
    target = paths.documents / document.name
    if target.exists() and sha256(target) != digest:
        target = paths.documents / f"{document.stem}-{digest[:8]}{document.suffix}"
    if not target.exists():
        with atomic_file(target) as temporary:
            shutil.copyfile(document, temporary)
    return {"document": f"documents/{target.name}", "document_sha256": digest}


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
