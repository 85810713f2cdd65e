"""Checks of the prepared audio: enough of it, in form, and nothing of it on both sides."""

from collections.abc import Callable

import dagster as dg

from morphene_core.audio import acceptance
from morphene_core.audio.prepared import PreparedAudio, leaks, load_prepared
from morphene_core.home import ROLES, Role
from morphene_core.progress import clock
from morphene_dagster.partitions import instruments
from morphene_dagster.resources import Project, user_errors

Judge = Callable[[PreparedAudio], tuple[bool, str]]
"""Returns whether prepared audio passes, and what was found."""


def _enough(role: Role) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{role}_audio",
        name="enough_audio",
        partitions_def=instruments,
        blocking=True,
        description="As much audio as the profile asks for (production: 1.5 hours), after"
        " rejected files and silence are gone.",
    )
    def check(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
        with user_errors():
            profile = project.training_profile(context.partition_key)
            prepared = load_prepared(project.paths(context).audio(role))
        there, wanted = prepared.seconds, profile.source_hours * 3600
        return dg.AssetCheckResult(
            passed=there >= wanted,
            description=f"{clock(there)} of {clock(wanted)} that profile {profile.name} asks for."
            + ("" if there >= wanted else " Add recordings: `morphene sources status`."),
            metadata={"seconds": round(there, 1), "wanted seconds": wanted},
        )

    return check


def _simple(role: Role, name: str, judge: Judge, blocking: bool) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=f"{role}_audio",
        name=name,
        partitions_def=instruments,
        blocking=blocking,
        description=judge.__doc__,
    )
    def check(context: dg.AssetCheckExecutionContext, project: Project) -> dg.AssetCheckResult:
        with user_errors():
            passed, found = judge(load_prepared(project.paths(context).audio(role)))
        severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(passed=passed, severity=severity, description=found)

    return check


def _format(prepared: PreparedAudio) -> tuple[bool, str]:
    """Every piece is WAV, mono, 48 kHz, and as long as recorded."""
    faults = acceptance.format_faults(prepared)
    return not faults, "; ".join(faults[:5]) or f"{len(prepared.pieces)} pieces"


def _loudness(prepared: PreparedAudio) -> tuple[bool, str]:
    """As measured on what was written: loudness within 1 LU, no true peak over the ceiling."""
    faults = acceptance.loudness_faults(prepared)
    return not faults, "; ".join(faults[:5]) or f"{len(prepared.sessions)} sessions"


def _silence(prepared: PreparedAudio) -> tuple[bool, str]:
    """Not too much of the audio is silence."""
    share = acceptance.silence_share(prepared)
    return share <= acceptance.MOST_SILENCE, f"{share:.0%} silence"


def _heldout(prepared: PreparedAudio) -> tuple[bool, str]:
    """Some of the audio is held out of the training, for validation and audits."""
    return bool(prepared.heldout), f"{clock(prepared.heldout_seconds)} held out"


def _leakage(prepared: PreparedAudio) -> tuple[bool, str]:
    """Nothing that is held out is trained on."""
    found = leaks(prepared)
    return not found, "; ".join(found[:5]) or "held-out and training audio are apart"


ALL = [
    check
    for role in ROLES
    for check in (
        _enough(role),
        _simple(role, "mono_48_khz_wav", _format, blocking=True),
        _simple(role, "loudness_as_set", _loudness, blocking=False),
        _simple(role, "little_silence", _silence, blocking=False),
        _simple(role, "some_is_held_out", _heldout, blocking=True),
        _simple(role, "no_leakage", _leakage, blocking=True),
    )
]
