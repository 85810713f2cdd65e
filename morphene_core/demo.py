"""Sources for the demo: synthesized by Morphene, or the user's own recordings."""

import shutil
from pathlib import Path

from morphene_core.audio.wav import write_wav
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder
from morphene_core.home import ROLES, InstrumentPaths, Role
from morphene_core.progress import Report, silent
from morphene_core.sources.register import register_sources

SECONDS = 120.0
"""Length of each synthesized source."""

_ORIGIN = ".demo-origin"  # says what the folder was filled with; hidden, so that no source


def place_synthesized(paths: InstrumentPaths, report: Report = silent) -> None:
    """Fill the source folders with synthesized recordings, unless they hold these already."""
    from morphene_core.synthesis import fire_takes, violin_takes

    for role, takes in zip(ROLES, (violin_takes, fire_takes), strict=True):
        folder = paths.sources(role)
        if _is_from(folder, "synthesized"):
            continue
        report(f"synthesizing the {role} source, {SECONDS:.0f} s")
        with atomic_folder(folder) as temporary:
            for take in takes(SECONDS):
                write_wav(temporary / f"{take.name}.wav", take.audio)
            (temporary / _ORIGIN).write_text("synthesized")


def place_own(paths: InstrumentPaths, recordings: Path, report: Report = silent) -> None:
    """Fill the source folders with copies of the user's recordings.

    Args:
        paths: of the demo's instrument.
        recordings: folder with ``musical/`` and ``nonmusical/`` in it.
        report: takes progress.

    Raises:
        InputError: a folder is missing or empty, or a file in it is no usable audio.
    """
    # Look at all of it before anything is replaced. The names in the errors are the user's own.
    found: dict[Role, str] = {}
    for role in ROLES:
        register = register_sources(recordings / role, role, report)
        found[role] = f"{recordings.absolute()} {register.data_version}"
    for role in ROLES:
        if _is_from(paths.sources(role), found[role]):
            continue
        report(f"copying {recordings / role}")
        with atomic_folder(paths.sources(role)) as temporary:
            shutil.copytree(recordings / role, temporary, dirs_exist_ok=True)
            (temporary / _ORIGIN).write_text(found[role])


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
