"""What the pages show of an instrument's recordings, as plain data for JSON."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from morphene_core.errors import InputError
from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.instruments import Instrument, get_instrument
from morphene_core.listening.places import is_inside, is_registered_link, source_id
from morphene_core.sources.listing import is_folder, is_text, printable, source_paths
from morphene_core.sources.register import SourceFile, SourceRegister, load_register
from morphene_core.sources.status import SourceStatus, coverage, source_statuses

Data = dict[str, Any]


def sources(home: Home, paths: InstrumentPaths) -> Data:
    """Return both roles' recordings: sources with licences, files with verdicts.

    It shows what was found when they were last read, and reads none itself: that may take minutes.
    """
    entry = get_instrument(paths.slug)
    return {
        "slug": entry.slug,
        "name": entry.name,
        "number": entry.number,
        "roles": [_role(home, paths, entry, role) for role in ROLES],
    }


def _role(home: Home, paths: InstrumentPaths, entry: Instrument, role: Role) -> Data:
    register = load_register(paths.register(role))
    folder = paths.sources(role)
    there = [p for p in source_paths(folder) if is_text(p)] if is_folder(folder) else []
    data: Data = {
        "role": role,
        "wanted": entry.musical_source if role == "musical" else entry.nonmusical_source,
        "folder": str(folder.relative_to(home.path)),
        "read": register is not None,
        "sources": [],
        "coverage": None,
        "notes": [],
        "seconds": register.seconds if register else 0.0,
        "files": [],
    }
    known = register or SourceRegister(role, (), ())
    if register:
        data["sources"], data["release_problem"] = _sources(home, paths, register)
        if register.accepted:
            data["coverage"] = coverage(register, entry).percentage
    data["files"] = list(_files(paths, role, known, there))
    return data


def _sources(
    home: Home, paths: InstrumentPaths, register: SourceRegister
) -> tuple[list[Data], str]:
    try:
        release, problem = home.release(paths.slug), ""
    except InputError as error:
        release, problem = "commercial", str(error)
    return [_source(status) for status in source_statuses(register, release)], problem


def _source(status: SourceStatus) -> Data:
    source = status.source
    return {
        "name": source.name,
        "origin": source.origin,
        "licence": source.licence,
        "attribution": source.attribution,
        "expires": source.expires.isoformat() if source.expires else None,
        "rating": source.rating,
        "notes": source.notes,
        "seconds": status.seconds,
        "problems": [{"text": p.text, "forbids": p.forbids} for p in status.problems],
    }


def _files(
    paths: InstrumentPaths, role: Role, register: SourceRegister, there: list[str]
) -> Iterator[Data]:
    """Give every file of the register, then those in the folder that are not in it yet."""
    present = set(there)
    for file in register.files:
        yield _file(paths, role, file, file.path in present)
    known = {file.path for file in register.files}
    for path in there:
        if path not in known:
            yield {
                **_place(paths, role, path, True),
                "verdict": "unread",
                "findings": [],
                "source": "",
                "seconds": None,
                "format": "",
            }


def _file(paths: InstrumentPaths, role: Role, file: SourceFile, present: bool) -> Data:
    examined = file.examination
    channels = {0: "", 1: "mono", 2: "stereo"}.get(
        examined.channels, f"{examined.channels} channels"
    )
    rate = f"{examined.sample_rate / 1000:g} kHz" if examined.sample_rate else ""
    facts = (examined.format.replace("_", " "), rate, channels)
    return {
        **_place(paths, role, file.path, present, file),
        "verdict": file.verdict,
        "findings": [{"code": f.code, "text": f.text, "rejects": f.rejects} for f in file.findings],
        "source": file.source,
        "seconds": file.seconds or None,
        "format": " · ".join(filter(None, facts)),
    }


def _place(
    paths: InstrumentPaths, role: Role, path: str, present: bool, file: SourceFile | None = None
) -> Data:
    folder = paths.sources(role)
    playable = present and (is_inside(folder, folder / path) or is_registered_link(folder, file))
    parts = ("audio", "sources", paths.slug, role, source_id(path))
    return {
        "id": source_id(path),
        "path": printable(path),
        "present": present,
        "url": "/" + "/".join(quote(part, safe="") for part in parts) if playable else None,
        "why_not": "" if playable else _why_not(present),
    }


def _why_not(present: bool) -> str:
    return "a link that leads out of the folder" if present else "the file is missing"
