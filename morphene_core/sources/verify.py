"""Whether the recordings are what the manifest says."""

from dataclasses import dataclass
from typing import Literal

from morphene_core.files import sha256
from morphene_core.home import InstrumentPaths, Role
from morphene_core.progress import Report, silent
from morphene_core.sources.register import SourceRegister, survey

Difference = Literal["changed", "missing", "unregistered", "unreadable"]


@dataclass(frozen=True)
class Discrepancy:
    """A file that is not as the manifest says: ``path`` is relative to the sources' folder."""

    path: str
    what: Difference
    source: str


def verify_sources(
    paths: InstrumentPaths, role: Role, report: Report = silent
) -> list[Discrepancy]:
    """Compare every file of a role, and every document, with its hash in the manifest."""
    register = survey(paths, role, report)
    return [*discrepancies(register), *_documents(paths, register)]


def discrepancies(register: SourceRegister) -> list[Discrepancy]:
    """Return which files of a register are not as the manifest says."""
    names: dict[str, Difference] = {
        "changed": "changed",
        "missing": "missing",
        "not registered": "unregistered",
        "unreadable": "unreadable",
    }
    return [
        Discrepancy(f"{register.role}/{file.path}", names[finding.code], file.source)
        for file in register.files
        for finding in file.findings
        # What was read to its end, but not as audio, is what the manifest says.
        if finding.code in names and not (finding.code == "unreadable" and file.examination.sha256)
    ]


def _documents(paths: InstrumentPaths, register: SourceRegister) -> list[Discrepancy]:
    found: list[Discrepancy] = []
    for source in register.sources:
        if not source.document:
            continue
        file = paths.documents.parent / source.document
        if not file.is_file():
            found.append(Discrepancy(source.document, "missing", source.name))
        elif source.document_sha256 and sha256(file) != source.document_sha256:
            found.append(Discrepancy(source.document, "changed", source.name))
    return found
