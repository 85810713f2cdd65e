"""A delivery, from a candidate to a folder that is there whole or not at all."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from morphene_core.audio.excerpt import excerpt
from morphene_core.audio.wav import SAMPLE_RATE, write_wav
from morphene_core.delivery.archive import write_archive
from morphene_core.delivery.candidate import Candidate, candidate, complete
from morphene_core.delivery.card import PICTURES, write_card
from morphene_core.delivery.changes import changes, changes_text
from morphene_core.delivery.demo import play_demo
from morphene_core.delivery.facts import same_but_for_timing
from morphene_core.delivery.metadata import describe
from morphene_core.delivery.papers import attributions_text, licence_text
from morphene_core.delivery.patches import write_patches
from morphene_core.delivery.schema import SCHEMA, schema_faults
from morphene_core.delivery.verify import files_of, folder_faults, read_metadata
from morphene_core.delivery.versions import (
    METADATA,
    archive_name,
    delivered_versions,
    delivering,
    make_final,
    next_version,
    version_folder,
)
from morphene_core.errors import DAMAGED, InputError, MorpheneError
from morphene_core.files import atomic_folder, sha256, sync, write_json, write_text
from morphene_core.gate import require_open
from morphene_core.home import ROLES
from morphene_core.progress import Report, silent

_SOURCE_SECONDS = 40.0
"""Held-out audio of each source that the demo may choose from."""


def publish(found: Candidate, report: Report = silent) -> dict[str, Any]:
    """Deliver a candidate as a new version; return the metadata of what ``final`` points to.

    Where nothing has changed since the newest version, that one stays. An interruption at any
    moment leaves ``final`` as it was, or the new version whole.

    Args:
        found: what is to be delivered.
        report: takes progress.

    Raises:
        InputError: something is missing (the gate says all of it, before and after the demo is
            played), the export has changed since it was made, another checkpoint was selected
            meanwhile, another process delivers the instrument, or there is no space left.
    """
    require_open(found.paths.slug, found.obstacles)
    complete(found)
    with delivering(found.paths):
        versions = delivered_versions(found.paths)
        newest = versions[-1] if versions else None
        version = next_version(found.paths)
        metadata = describe(found, version, newest)
        if newest is not None and _is_delivered(found, newest, metadata):
            report("the delivery is up to date")
            version = newest
        else:
            with atomic_folder(version_folder(found.paths, version)) as folder:
                _fill(folder, found, metadata, report)
                _require_unchanged(found)
        make_final(found.paths, version)
    return read_metadata(found.paths.final)


def _require_unchanged(found: Candidate) -> None:
    """Look again, now that the demo was played, whether the same may be delivered still."""
    now = candidate(found.paths)
    require_open(found.paths.slug, now.obstacles)
    if now.selection.checkpoint_sha256 != found.selection.checkpoint_sha256:
        raise InputError(
            f"Another checkpoint was selected while step {found.selection.step:,} was being"
            f" delivered: `morphene deliver {found.paths.slug}` delivers that one."
        )


def _is_delivered(found: Candidate, version: int, metadata: Mapping[str, Any]) -> bool:
    """Whether a version is what would be delivered, and whole."""
    folder = version_folder(found.paths, version)
    try:
        there = read_metadata(folder)
    except InputError:
        return False
    if schema_faults(there):
        return False
    return same_but_for_timing(there, metadata) and not folder_faults(folder)


def _fill(folder: Path, found: Candidate, metadata: dict[str, Any], report: Report) -> None:
    """Write all of a delivery's files, and check them."""
    slug = found.paths.slug
    _, model = complete(found)
    target = folder / f"{slug}.ts"
    shutil.copyfile(found.model_file, target)
    if sha256(target) != model.sha256:
        raise InputError(
            f"{found.model_file} is not what was exported: it has changed or is damaged."
            f" `morphene deliver {slug}` exports it again."
        )
    report("playing the demo through the delivered model")
    _write_demo(folder / "demo.wav", target, found)
    report("writing patches, terms and the model card")
    write_patches(folder, slug, model)
    write_card(folder, metadata, _pictures(found))
    write_text(folder / "LICENCE.md", licence_text(metadata))
    named = attributions_text(found.instrument.name, metadata["terms"]["attributions"])
    write_text(folder / "ATTRIBUTIONS.md", named)
    write_text(folder / "CHANGES.md", changes_text(metadata, _earlier(found, metadata)))
    shutil.copyfile(SCHEMA, folder / SCHEMA.name)
    names = [path.relative_to(folder).as_posix() for path in files_of(folder)]
    write_json(folder / METADATA, metadata | {"files": _checksums(folder, names)})
    archive = folder / archive_name(metadata)
    write_archive(archive, folder, [*names, METADATA], slug)
    _check(folder)
    for path in folder.rglob("*/"):
        sync(path)
    sync(folder)


def _write_demo(path: Path, model: Path, found: Candidate) -> None:
    audio = found.heldout()
    musical, nonmusical = (excerpt(audio[role].heldout, _SOURCE_SECONDS) for role in ROLES)
    demo = play_demo(model, musical, nonmusical)
    seconds = len(demo) / SAMPLE_RATE
    if not 30 <= seconds <= 60:
        raise MorpheneError(f"The demo of {found.paths.slug} lasts {seconds:.0f} s, not 30 to 60.")
    write_wav(path, demo)


def _pictures(found: Candidate) -> dict[str, Path]:
    folder = found.folder.audit_path(found.selection.step)
    pictures = {name: folder / f"{name}.png" for name in PICTURES}
    return {name: path for name, path in pictures.items() if path.exists()}


def _earlier(found: Candidate, metadata: Mapping[str, Any]) -> dict[int, Any]:
    """Return the metadata of all versions; a damaged one says nothing, and stops none."""
    earlier = {}
    for number in delivered_versions(found.paths):
        with suppress(*DAMAGED):
            there = read_metadata(version_folder(found.paths, number))
            if "format" not in there:  # an older Morphene's: no schema tells whether it is damaged
                changes(there, metadata)
            elif schema_faults(there):
                continue
            earlier[number] = there
    return earlier


def _checksums(folder: Path, names: list[str]) -> dict[str, Any]:
    return {
        name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size}
        for name in sorted(names)
    }


def _check(folder: Path) -> None:
    """Refuse to publish what would not pass `morphene verify`: that is a defect of ours."""
    if faults := folder_faults(folder):
        raise MorpheneError(f"The delivery is not what it must be: {'; '.join(faults)}.")
