"""Setting up a project folder: a place for every recording, and a brief for who makes it."""

import os
import textwrap
from collections.abc import Iterable
from pathlib import Path

from morphene_core.files import write_text
from morphene_core.home import ROLES, Home, InstrumentPaths, Role
from morphene_core.instruments import Instrument

_WIDTH = 96


def set_up(home: Home, instruments: Iterable[Instrument]) -> list[Path]:
    """Make the folders of instruments in a project folder; what is there stays as it is.

    Returns:
        What was made: folders and files, in order.
    """
    made = [home.settings] if not home.settings.exists() else []
    home.create()
    for instrument in instruments:
        paths = home.instrument(instrument.slug)
        for folder in _folders(paths):
            if not os.path.lexists(folder):
                folder.mkdir(parents=True)
                made.append(folder)
        for role in ROLES:
            readme = paths.sources(role) / "README.md"
            if not readme.exists():
                write_text(readme, brief(instrument, role))
                made.append(readme)
    return made


def brief(instrument: Instrument, role: Role) -> str:
    """Return what the recordist of one role has to know, as Markdown."""
    source = instrument.musical_source if role == "musical" else instrument.nonmusical_source
    parts = [
        f"# {instrument.name}: {source}",
        _wrapped(
            f"Number {instrument.number} of the catalogue, {instrument.tier}:"
            f" {instrument.musical_source} + {instrument.nonmusical_source}. {instrument.idea}"
        ),
        *(_musical(instrument) if role == "musical" else _nonmusical(instrument)),
        "## Risks of this pairing",
        _wrapped(instrument.risks),
        "## How to record",
        _bullets(_HOW),
        "## When it is there",
        f"""\
```sh
morphene sources add --instrument {instrument.number} --type {role} --name "..." \\
    --origin recorded --license own --rating 4 FOLDER
morphene sources status {instrument.number}     # verdicts, coverage, what is still missing
```""",
    ]
    return "\n\n".join(parts) + "\n"


_HOW = (
    "At least 1.5 hours that can be used, better 2: silence and rejected files do not count.",
    "48 kHz, 24 bit, WAV or FLAC; mono, or stereo whose channels do not cancel in mono.",
    "One folder for each session (one room, one microphone, one gain). A session is levelled as a"
    " whole, so never touch the gain within one, and never normalize single files.",
    "Peaks between -12 and -3 dBFS at the loudest; nothing clipped, nothing compressed, no reverb"
    " added, no noise reduction.",
    "Leave the decays whole: half a second of quiet after each sound.",
)


def _folders(paths: InstrumentPaths) -> list[Path]:
    sources = [paths.sources(role) for role in ROLES]
    return [*sources, paths.checkpoints, paths.audit, paths.final]


def _musical(instrument: Instrument) -> list[str]:
    return [
        "## What to play",
        _bullets(
            [
                f"Range: {instrument.lowest_note} to {instrument.highest_note} (sounding), every"
                " semitone, one note at a time.",
                f"Dynamics: {', '.join(instrument.dynamics)}, each over the whole range.",
            ]
        ),
        "Techniques:",
        _bullets(instrument.techniques),
        "Articulations:",
        _bullets(instrument.articulations),
    ]


def _nonmusical(instrument: Instrument) -> list[str]:
    return [
        "## What to collect",
        f"Kind of texture: {instrument.texture}.",
        _bullets(instrument.variety),
        "## What to avoid",
        _bullets(instrument.avoid),
    ]


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(
        textwrap.fill(item, _WIDTH, initial_indent="- ", subsequent_indent="  ") for item in items
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH)
