"""Which sources an instrument was trained on, and under which licences, as is known now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from morphene_core.delivery.terms import LicensedSource
from morphene_core.home import ROLES, InstrumentPaths, Role
from morphene_core.sources.licences import Terms, known_terms
from morphene_core.sources.manifest import Source, read_manifest
from morphene_core.training import current_training


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

    What was trained on is found in the manifests by its contents, and those of removed sources:
    the licence of a source may have been put right since. Where it is in none, the record's own
    word counts.

    Args:
        paths: of the instrument.
        recorded: ``sources`` of the dataset.

    Raises:
        InputError: a manifest is not valid.
    """
    known: dict[str, dict[str, LicensedSource]]
    known = {role: _by_contents(paths, role) for role in ROLES}
    return [
        SourceFile(
            file["role"],
            file["path"],
            file["sha256"],
            known.get(file["role"], {}).get(file["sha256"]) or _as_recorded(file),
        )
        for file in recorded
    ]


def distinct(files: Sequence[SourceFile]) -> list[LicensedSource]:
    """Return the sources of files, each once, in their order."""
    return list(dict.fromkeys(file.source for file in files))


def known_sources(paths: InstrumentPaths) -> list[LicensedSource]:
    """Return the sources of an instrument: those it was trained on, and those registered now.

    Raises:
        InputError: a manifest or the record of the training is not valid.
    """
    trained: list[SourceFile] = []
    if paths.checkpoints.is_symlink():
        trained = source_files(paths, current_training(paths).read().dataset["sources"])
    registered = [
        _licensed(source, True)
        for role in ROLES
        for source in read_manifest(paths.manifest(role)).source
    ]
    return list(dict.fromkeys([*distinct(trained), *registered]))


def _by_contents(paths: InstrumentPaths, role: Role) -> dict[str, LicensedSource]:
    manifests = [(path, False) for path in sorted(paths.removed.glob(f"*/{role}.toml"))]
    manifests += [(paths.manifest(role), True)]
    return {
        file.sha256: _licensed(source, registered)
        for path, registered in manifests
        for source in read_manifest(path).source
        for file in source.files
    }


def _licensed(source: Source, registered: bool) -> LicensedSource:
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
    )


def _as_recorded(file: Mapping[str, Any]) -> LicensedSource:
    """Return the source of a file that is in no manifest; nothing is taken for allowed."""
    licence, attribution = file.get("licence", ""), file.get("attribution", "")
    return LicensedSource(
        name=file.get("source", ""),
        origin=file.get("origin", ""),
        licence=licence,
        attribution=attribution,
        terms=known_terms(licence) or Terms(False, True, bool(attribution), False),
        registered=False,
    )
