"""Which sources an instrument was trained on, and under which licences, as is known now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from morphene_core.delivery.terms import LicensedSource
from morphene_core.home import ROLES, InstrumentPaths, Role
from morphene_core.sources.licences import Terms, known_terms
from morphene_core.sources.manifest import Source, read_manifest
from morphene_core.training import current_training

_Entry = tuple[str, LicensedSource]  # a place in a manifest, and the source that it belongs to


@dataclass(frozen=True)
class SourceFile:
    """A file that an instrument was trained on.

    Attributes:
        role: what it is to the instrument.
        path: POSIX, below the role's folder.
        sha256: hash of its contents.
        source: the source that it belongs to.
    """

    role: str
    path: str
    sha256: str
    source: LicensedSource


def source_files(paths: InstrumentPaths, recorded: Sequence[Mapping[str, Any]]) -> list[SourceFile]:
    """Return the files of a dataset's record, with their licences.

    What was trained on is found by its contents: in the manifest, else in those of removed
    sources. The licence of a source may have been put right since, and its files may have been
    moved. Where contents stand more than once, the entry of the same path counts, and without such
    the one whose licence is the strictest. Where they stand nowhere, the record's own word counts.

    Args:
        paths: of the instrument.
        recorded: ``sources`` of the dataset.

    Raises:
        InputError: a manifest is not valid.
    """
    known: dict[str, dict[str, list[_Entry]]]
    known = {role: _by_contents(paths, role) for role in ROLES}
    found = []
    for file in recorded:
        role, path, digest = file["role"], file["path"], file["sha256"]
        entries = known.get(role, {}).get(digest)
        source = _chosen(entries, path) if entries else _as_recorded(paths.slug, file)
        found.append(SourceFile(role, path, digest, source))
    return found


def distinct(files: Sequence[SourceFile]) -> list[LicensedSource]:
    """Return the sources of files, each once, in their order."""
    return list(dict.fromkeys(file.source for file in files))


def source_titles(files: Sequence[SourceFile]) -> list[str]:
    """Return the sources of files as a rights decision names them, each once, in their order."""
    return list(dict.fromkeys(file.source.covered_as for file in files))


def known_sources(paths: InstrumentPaths) -> list[str]:
    """Return the sources of an instrument as a rights decision names them.

    They are those that it was trained on, and those that are registered now.

    Raises:
        InputError: a manifest or the record of the training is not valid.
    """
    trained: list[SourceFile] = []
    if paths.checkpoints.is_symlink():
        trained = source_files(paths, current_training(paths).read().dataset["sources"])
    registered = [
        _licensed(source, paths.slug, role, registered=True).covered_as
        for role in ROLES
        for source in read_manifest(paths.manifest(role)).source
    ]
    return list(dict.fromkeys([*source_titles(trained), *registered]))


def _by_contents(paths: InstrumentPaths, role: Role) -> dict[str, list[_Entry]]:
    """Return where contents are registered, by their hashes; else where they were."""
    removed = sorted(paths.removed.glob(f"*/{role}.toml"))
    now = _entries([paths.manifest(role)], paths.slug, role, registered=True)
    return _entries(removed, paths.slug, role, registered=False) | now


def _entries(
    manifests: Sequence[Path], slug: str, role: Role, registered: bool
) -> dict[str, list[_Entry]]:
    found: dict[str, list[_Entry]] = {}
    for path in manifests:
        for source in read_manifest(path).source:
            licensed = _licensed(source, slug, role, registered)
            for file in source.files:
                found.setdefault(file.sha256, []).append((file.path, licensed))
    return found


def _chosen(entries: Sequence[_Entry], path: str) -> LicensedSource:
    """Return the source of the very file; else, and of several, the strictest."""
    same = [source for place, source in entries if place == path]
    return min(same or [source for _, source in entries], key=_leniency)


def _leniency(source: LicensedSource) -> tuple[bool | date, ...]:
    """Return what puts the stricter of two sources first: what it forbids before what it asks for.

    Of the same terms those of a document come first, which a person has to clear.
    """
    terms = source.terms
    return (
        terms.derivatives,
        terms.commercial,
        source.expires or date.max,
        not terms.share_alike,
        not terms.attribution,
        source.is_known,
    )


def _licensed(source: Source, slug: str, role: Role, registered: bool) -> LicensedSource:
    return LicensedSource(
        name=source.name,
        origin=source.origin,
        licence=source.licence,
        attribution=source.attribution,
        terms=source.terms,
        expires=source.expires,
        document=source.document,
        document_sha256=source.document_sha256,
        registered=registered,
        instrument=slug,
        role=role,
    )


def _as_recorded(slug: str, file: Mapping[str, Any]) -> LicensedSource:
    """Return the source of a file that is in no manifest; nothing is taken for allowed."""
    licence, attribution = file.get("licence", ""), file.get("attribution", "")
    return LicensedSource(
        name=file.get("source", ""),
        origin=file.get("origin", ""),
        licence=licence,
        attribution=attribution,
        terms=known_terms(licence) or Terms(False, True, bool(attribution), False),
        registered=False,
        instrument=slug,
        role=file["role"],
    )
