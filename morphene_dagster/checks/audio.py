"""Checks of the prepared audio: enough of it, in form, and nothing of it on both sides."""

from collections.abc import Callable

import dagster as dg

from morphene_core.audio import acceptance
from morphene_core.audio.prepared import PreparedAudio, leaks, load_prepared
from morphene_core.home import ROLES, InstrumentPaths, Role
from morphene_core.progress import clock
from morphene_dagster.checks.common import Finding, instrument_check
from morphene_dagster.resources import Project

_SHOWN = 5


def _enough(role: Role) -> dg.AssetChecksDefinition:
    def judge(project: Project, paths: InstrumentPaths) -> Finding:
        profile = project.training_profile(paths.slug)
        there = load_prepared(paths.audio(role)).seconds
        wanted = profile.source_hours * 3600
        remedy = "" if there >= wanted else " Add recordings: `morphene sources status`."
        return Finding(
            there >= wanted,
            f"{clock(there)} of {clock(wanted)} that profile {profile.name} asks for.{remedy}",
            metadata={"seconds": round(there, 1), "wanted seconds": wanted},
        )

    return instrument_check(
        f"{role}_audio",
        "enough_audio",
        "As much audio as the profile asks for (production: 1.5 hours), after rejected files and"
        " silence are gone.",
        judge,
        blocking=True,
    )


def _of_audio(
    name: str, look: Callable[[PreparedAudio], Finding], blocking: bool
) -> list[dg.AssetChecksDefinition]:
    """Return a check of the prepared audio of each role; its description is ``look``'s."""

    def check(role: Role) -> dg.AssetChecksDefinition:
        return instrument_check(
            f"{role}_audio",
            name,
            look.__doc__ or "",
            lambda project, paths: look(load_prepared(paths.audio(role))),
            blocking,
        )

    return [check(role) for role in ROLES]


def _format(prepared: PreparedAudio) -> Finding:
    """Every piece is WAV, mono, 48 kHz, and as long as recorded."""
    faults = acceptance.format_faults(prepared)
    return Finding(not faults, "; ".join(faults[:_SHOWN]) or f"{len(prepared.pieces)} pieces")


def _loudness(prepared: PreparedAudio) -> Finding:
    """As measured on what was written: loudness within 1 LU, no true peak over the ceiling."""
    faults = acceptance.loudness_faults(prepared)
    text = "; ".join(faults[:_SHOWN]) or f"{len(prepared.sessions)} sessions"
    return Finding(not faults, text, serious=False)


def _silence(prepared: PreparedAudio) -> Finding:
    """Not too much of the audio is silence."""
    share = acceptance.silence_share(prepared)
    return Finding(share <= acceptance.MOST_SILENCE, f"{share:.0%} silence", serious=False)


def _heldout(prepared: PreparedAudio) -> Finding:
    """Some of the audio is held out of the training, for validation and audits."""
    return Finding(bool(prepared.heldout), f"{clock(prepared.heldout_seconds)} held out")


def _leakage(prepared: PreparedAudio) -> Finding:
    """Nothing that is held out is trained on; that it sounds elsewhere, too, is a warning."""
    leaking = leaks(prepared)
    found = [*leaking, *prepared.repeats]
    text = "; ".join(found[:_SHOWN]) or "held-out and training audio are apart"
    return Finding(not found, text, serious=bool(leaking))


ALL = [
    *(_enough(role) for role in ROLES),
    *_of_audio("mono_48_khz_wav", _format, blocking=True),
    *_of_audio("loudness_as_set", _loudness, blocking=False),
    *_of_audio("little_silence", _silence, blocking=False),
    *_of_audio("some_is_held_out", _heldout, blocking=True),
    *_of_audio("no_leakage", _leakage, blocking=True),
]
