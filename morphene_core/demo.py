"""Sources for the demo: synthesized by Morphene, or the user's own recordings."""

import shutil
from pathlib import Path
from typing import Any

from morphene_core.audio.wav import write_wav
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, write_text
from morphene_core.home import ROLES, InstrumentPaths, Role
from morphene_core.progress import Report, silent
from morphene_core.sources.collect import add_source
from morphene_core.sources.listing import fingerprint, source_paths

SECONDS = 120.0
"""Length of each synthesized source."""

_ORIGIN = ".demo-origin"  # says what the folder was filled with; hidden, so that no source

_SYNTHESIZED = {"origin": "synthesized", "licence": "CC0-1.0", "rating": 2}
_OWN = {
    "name": "Recordings of your own",
    "origin": "recorded",
    "licence": "own",
    "notes": "Placed by the demo, which takes them for yours: state the licence that they have.",
}


def place_synthesized(paths: InstrumentPaths, report: Report = silent) -> None:
    """Fill the source folders with synthesized recordings, unless they hold these already."""
    from morphene_core.synthesis import fire_takes, violin_takes

    for role, takes in zip(ROLES, (violin_takes, fire_takes), strict=True):
        folder = paths.sources(role)
        if not _is_from(folder, "synthesized"):
            report(f"synthesizing the {role} source, {SECONDS:.0f} s")
            paths.manifest(role).unlink(missing_ok=True)
            with atomic_folder(folder) as temporary:
                for take in takes(SECONDS):
                    write_wav(temporary / f"{take.name}.wav", take.audio)
                (temporary / _ORIGIN).write_text("synthesized")
        _register(paths, role, {"name": f"Synthesized {role} source", **_SYNTHESIZED}, folder)


def place_own(paths: InstrumentPaths, recordings: Path, report: Report = silent) -> None:
    """Fill the source folders with copies of the user's recordings.

    Args:
        paths: of the demo's instrument.
        recordings: folder with ``musical/`` and ``nonmusical/`` in it.
        report: takes progress.

    Raises:
        InputError: a folder is missing or empty.
    """
    # Look at both before anything is replaced. The names in the errors are the user's own.
    found = {role: _fingerprint(recordings / role) for role in ROLES}
    for role in [role for role in ROLES if not _is_from(paths.sources(role), found[role])]:
        folder = paths.sources(role)
        paths.manifest(role).unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        # Marked from the beginning: what is left of an interrupted copy is the demo's as well.
        write_text(folder / _ORIGIN, "begun")
        _register(paths, role, _OWN, recordings / role, report)
        write_text(folder / _ORIGIN, found[role])


def _register(
    paths: InstrumentPaths,
    role: Role,
    facts: dict[str, Any],
    recordings: Path,
    report: Report = silent,
) -> None:
    if not paths.manifest(role).exists():
        add_source(paths, role, facts, [recordings], report=report)


def _fingerprint(folder: Path) -> str:
    """Return what tells a folder of recordings from another, or from itself as it was."""
    if not folder.is_dir():
        raise InputError(f"{folder} does not exist. Make the folder and put recordings into it.")
    files = source_paths(folder)
    if not files:
        raise InputError(f"{folder} holds no recordings. Put some into it, e.g. WAV or FLAC.")
    return fingerprint(folder.resolve() / path for path in files)


def _is_from(folder: Path, origin: str) -> bool:
    """Tell whether the demo filled a folder with this; refuse a folder that it did not fill."""
    mark = folder / _ORIGIN
    if not mark.exists():
        if folder.exists() and any(folder.iterdir()):
            raise InputError(
                f"{folder} holds files that the demo did not put there. Move them away; to run the"
                " demo on recordings of your own, use `make demo SOURCES=folder`."
            )
        return False
    return mark.read_text() == origin
