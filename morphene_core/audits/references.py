"""The references of an audit: what every checkpoint is given to reconstruct and to morph."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from morphene_core.audio.loudness import SILENT_PEAK
from morphene_core.audio.mono import mono_blocks
from morphene_core.audio.stream import NoAudioError
from morphene_core.audio.wav import SAMPLE_RATE, Mono, read_mono, write_wav
from morphene_core.audits.excerpts import covering_excerpt
from morphene_core.errors import InputError
from morphene_core.files import atomic_folder, read_json, sha256, write_json
from morphene_core.home import ROLES, Role
from morphene_core.profiles import LARGEST_RATIO
from morphene_core.progress import Report, silent

LEAST_SECONDS = 0.5
MOST_SECONDS = 30.0
_BLOCK = LARGEST_RATIO
_FOLDER = "references"
_RECORD = "references.json"
_HELD_OUT = {"from": "excerpts of the held-out audio"}


def write_references(
    audit: Path,
    chosen: Mapping[Role, Path | None],
    heldout: Mapping[Role, Sequence[Path]],
    seconds: float,
    report: Report = silent,
) -> dict[Role, Path]:
    """Write the two reference files of an audit folder, unless they are there.

    They stay the same for all checkpoints: only so can these be compared. Both have one length, a
    multiple of 2048 samples (RAVE's block).

    Args:
        audit: folder of the audits.
        chosen: a file of each role that somebody named, of any format, or None.
        heldout: held-out recordings of each role that nobody named a file for.
        seconds: how much of the held-out audio to take.
        report: takes what was cut off.

    Returns:
        The files by role.

    Raises:
        InputError: a file is missing, too short, silent or no audio, or nothing is held out.
    """
    folder = audit / _FOLDER
    paths: dict[Role, Path] = {role: folder / f"{role}.wav" for role in ROLES}
    wanted = {str(role): _origin(chosen[role]) for role in ROLES}
    if _are_there(folder, paths, wanted):
        return paths
    audio = {role: _audio(role, chosen[role], heldout[role], seconds) for role in ROLES}
    length = min(map(len, audio.values()))
    length = min(length, int(MOST_SECONDS * SAMPLE_RATE)) // _BLOCK * _BLOCK
    for role, samples in audio.items():
        if len(samples) - length >= SAMPLE_RATE // 10:
            report(
                f"the {role} reference is cut from {len(samples) / SAMPLE_RATE:.1f} s to"
                f" {length / SAMPLE_RATE:.1f} s: both have one length, {MOST_SECONDS:.0f} s at most"
            )
    for role in ROLES:
        if _is_silent(audio[role][:length]):
            name = chosen[role] or f"The held-out audio of the {role} source"
            raise InputError(
                f"{name} is silent in its first {length / SAMPLE_RATE:.1f} s, which are compared."
                " Choose another file, or a longer one of the other source."
            )
    with atomic_folder(folder) as temporary:
        for role in ROLES:
            write_wav(temporary / f"{role}.wav", audio[role][:length])
            wanted[role]["written"] = sha256(temporary / f"{role}.wav")
        write_json(temporary / _RECORD, wanted)
    return paths


def read_references(paths: Mapping[Role, Path]) -> tuple[Mono, Mono]:
    """Return the audio of both references, musical and non-musical, shape (samples,), 48 kHz."""
    musical, nonmusical = (read_mono(paths[role]) for role in ROLES)
    return musical, nonmusical


def _origin(chosen: Path | None) -> dict[str, str]:
    if chosen is None:
        return dict(_HELD_OUT)
    if not chosen.is_file():
        raise InputError(f"The reference {chosen} does not exist.")
    return {"from": str(chosen), "sha256": sha256(chosen)}


def _are_there(
    folder: Path, paths: Mapping[Role, Path], wanted: Mapping[str, Mapping[str, str]]
) -> bool:
    """Whether the references are those that are wanted, as they were written."""
    try:
        recorded = read_json(folder / _RECORD)
        return all(
            recorded[role] == {**wanted[role], "written": sha256(path)}
            for role, path in paths.items()
        )
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return False


def _audio(role: Role, chosen: Path | None, heldout: Sequence[Path], seconds: float) -> Mono:
    if chosen is not None:
        audio, name = _beginning(chosen), str(chosen)
    elif heldout and all(file.exists() for file in heldout):
        audio, name = covering_excerpt(heldout, seconds), f"The held-out audio of the {role} source"
    else:
        raise InputError(f"No {role} audio is held out: materialize `{role}_audio` first.")
    if len(audio) < LEAST_SECONDS * SAMPLE_RATE:
        raise InputError(
            f"{name} is too short for a reference: {len(audio) / SAMPLE_RATE:.2f} s, at least"
            f" {LEAST_SECONDS} s are needed."
        )
    if not np.isfinite(audio).all():
        raise InputError(f"{name} holds samples that are not numbers. Choose another file.")
    if _is_silent(audio):
        raise InputError(
            f"{name} is silent, or its channels cancel each other out. Choose another file."
        )
    return audio


def _is_silent(audio: Mono) -> bool:
    return float(np.abs(audio).max(initial=0.0)) <= SILENT_PEAK


def _beginning(file: Path) -> Mono:
    """Return the first half minute of a file, shape (samples,), 48 kHz."""
    blocks, length, most = [np.empty(0, np.float32)], 0, int(MOST_SECONDS * SAMPLE_RATE)
    try:
        for block in mono_blocks(file):
            blocks.append(block)
            length += len(block)
            if length > most + SAMPLE_RATE:
                break
    except NoAudioError as error:
        raise InputError(f"{file} {error}.") from error
    return np.concatenate(blocks)
