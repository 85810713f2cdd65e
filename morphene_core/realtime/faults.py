"""What a stage does to a model: silence, noise, NaN, jumps, a reload; and what becomes of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.loudness import level_dbfs
from morphene_core.final_model import Method
from morphene_core.metrics.clicks import clicks_per_second
from morphene_core.progress import Progress, Report
from morphene_core.realtime.host import Signal
from morphene_core.realtime.model import last_line
from morphene_core.realtime.player import Offline, Player
from morphene_core.realtime.report import Finding
from morphene_core.realtime.signals import is_morph

PASSAGE_SECONDS = 2.5
"""Audio that is played after a disturbance: twice what a full RAVE v2 remembers (1.12 s)."""

TOLERANCE = 1e-4
"""Part of the peak by which renders that should be one may differ: rounding stays under 1e-5."""

LEVEL_DB = 6.0
"""By which the level of a model that draws noise may differ."""

_SETTLED_SECONDS = 0.5  # at the end of a passage, in which nothing may be left of a disturbance
_DISTURBED_SECONDS = 0.5
_STANDS_OUT = 3.0  # a block's edge, of those that draw noise: times as rough as without blocks
_CLICKS = 0.5  # a second: from here on the audit, too, calls them audible
_SLOWER, _SLOWER_MS = 3.0, 1.0
_LATENTS_BEYOND = 4.0  # times the largest latent of real audio
_START = 0.5  # times the peak in music that a model may give which was just loaded, of silence


@dataclass(frozen=True)
class Trial:
    """One method under trial.

    Attributes:
        player: what plays it, its noise off where it can be.
        method: of the model.
        passage: what it is given undisturbed, whole blocks at its input ratio.
        expected: what a fresh model makes of that.
        noisy: whether it draws noise that cannot be switched off.
    """

    player: Player
    method: Method
    passage: Signal
    expected: Signal
    noisy: bool


@dataclass(frozen=True)
class Outcome:
    """What became of one method.

    Attributes:
        passed: whether it bore it.
        text: what happened.
        size: how near it came to a fault; of those that pass, the text of the largest is shown.
    """

    passed: bool
    text: str
    size: float = 0.0


def find_faults(trials: Sequence[Trial], offline: Offline, report: Report) -> list[Finding]:
    """Try everything on every method.

    Args:
        trials: the methods.
        offline: plays a method in one call.
        report: takes progress.
    """
    tried: dict[str, Callable[[Trial], Outcome]] = {
        "boundary clicks": lambda trial: boundary_clicks(trial, offline),
        **{
            name: lambda trial, name=name, make=make: disturbed(trial, name, make)  # type: ignore[misc]
            for name, make in DISTURBANCES.items()
        },
        "amount sweep": amount_sweep,
        "reload": reload,
    }
    progress = Progress("trying what a stage does to it", len(tried) * len(trials), report)
    findings = []
    for number, (name, of) in enumerate(tried.items()):
        outcomes = []
        for trial in trials:
            if name != "amount sweep" or is_morph(trial.method):
                outcomes.append(of(trial))
            progress.advance(number * len(trials) + len(outcomes), name)
        if outcomes:
            findings.append(_finding(name, outcomes))
    return findings


def boundary_clicks(trial: Trial, offline: Offline) -> Outcome:
    """Compare what comes out in blocks with what comes out in one go.

    Where a model draws noise, the two are different draws, and what is compared is how rough the
    edges of the blocks are.
    """
    name = trial.method.name
    try:
        whole = offline(trial.method, trial.passage)
    except Exception as error:  # a model may be made for one length only
        return Outcome(True, f"{name} plays in blocks only: {last_line(error)}", 1.0)
    if whole.shape != trial.expected.shape:
        return Outcome(
            False,
            f"{name} gives {whole.shape[-1]} frames in one go, {trial.expected.shape[-1]} in"
            f" blocks of {trial.player.block}.",
        )
    if trial.noisy:
        return _rough_edges(trial, whole)
    apart = relative_difference(trial.expected, whole)
    if apart <= TOLERANCE:
        return Outcome(
            True, f"In blocks it plays what it plays in one go, to {apart:.0e} of the peak.", apart
        )
    return Outcome(
        False,
        f"{name} in blocks of {trial.player.block} is not what it is in one go (up to {apart:.2g}"
        " of the peak): it forgets what came before. Export it for streaming.",
        apart,
    )


def disturbed(trial: Trial, name: str, make: "Disturbance") -> Outcome:
    """Play a disturbance, then a passage, and look for what the one leaves in the other."""
    block, rate, method = trial.player.block, trial.player.rate, trial.method
    length = max(round(_DISTURBED_SECONDS * rate / block), 2) * block // method.in_ratio
    hostile = make(np.resize(trial.passage, (method.in_channels, length)), method, rate)
    heard = trial.player.play(method, np.concatenate([hostile, trial.passage], axis=1))
    after = heard[:, length * method.in_ratio // method.out_ratio :]
    late = _recovery_seconds(trial, after)
    if late is None:
        kept = " It gives numbers that are not finite." if not np.isfinite(after).all() else ""
        text = f"{method.name} is not what it was {_allowed(trial):.1f} s after {name}.{kept}"
        return Outcome(False, text, np.inf)
    if trial.player.errors:
        return Outcome(False, f"{method.name} fails: {trial.player.errors[0]}", np.inf)
    slow = _slowdown(trial.player.times_ms, length * method.in_ratio // block)
    if slow:
        return Outcome(False, f"{method.name} takes {slow:.1f} times as long in {name}.", np.inf)
    return _borne(trial, name, heard, late)


def amount_sweep(trial: Trial) -> Outcome:
    """Move the amount of a morph: evenly, in jumps, and beyond its ends."""
    at = {value: _morphed(trial, value) for value in (0.0, 1.0)}
    if relative_difference(at[0.0], at[1.0]) < TOLERANCE:
        return Outcome(False, "The amount changes nothing.")
    samples = trial.passage.shape[-1]
    ratio = trial.player.block
    swept = clicks_per_second(_morphed(trial, np.linspace(0, 1, samples))[0], ratio)
    still = max(clicks_per_second(heard[0], ratio) for heard in at.values())
    if swept - still > _CLICKS:
        text = f"{swept:.1f} clicks a second while the amount moves, {still:.1f} else."
        return Outcome(False, text)
    steps = np.arange(samples) // round(0.1 * trial.player.rate) % 4
    jumps = _morphed(trial, np.array([0.0, 1.0, -1.0, 2.0])[steps])
    if not np.isfinite(jumps).all():
        return Outcome(False, "Amounts that jump, or lie beyond 0 to 1, give numbers not finite.")
    return Outcome(True, "No clicks while it moves; jumps and amounts beyond 0 to 1 are borne.")


def reload(trial: Trial) -> Outcome:
    """Load the model again while it plays: it begins anew, and as quiet as it would be."""
    player, method = trial.player, trial.method
    blocks = trial.passage.shape[-1] * method.in_ratio // player.block
    heard = player.play(method, np.concatenate([trial.passage] * 2, axis=1), reload_at=blocks)
    second = heard[:, trial.expected.shape[-1] :]
    same = (
        abs(level_dbfs(second) - level_dbfs(trial.expected)) < LEVEL_DB
        if trial.noisy
        else relative_difference(second, trial.expected) <= TOLERANCE
    )
    if not same:
        return Outcome(False, f"{method.name} is not what it was at first after a reload.")
    if method.in_ratio == method.out_ratio == 1:
        silence = np.abs(player.play(method, np.zeros_like(trial.passage)))
        half = silence.shape[-1] // 2
        start, rest = (float(part.max()) for part in (silence[:, :half], silence[:, half:]))
        if start > max(_START * float(np.abs(trial.expected).max()), 2 * rest):
            return Outcome(
                False,
                f"{method.name} begins with a sound that peaks at {start:.2g}, though it gets"
                " silence: what it heard before is in the file.",
            )
    return Outcome(True, "After a reload it begins anew.")


def relative_difference(a: Signal, b: Signal) -> float:
    """Return the largest difference of two signals, as a part of the peak; NaN counts as that."""
    peak = float(np.nan_to_num(np.abs(b), nan=0.0, posinf=0.0).max(initial=0.0))
    difference = np.abs(a - b)
    worst = float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))
    return worst / peak if peak > 0 else (0.0 if worst == 0 else np.inf)


Disturbance = Callable[[Signal, Method, int], Signal]
"""Makes a disturbance of a passage of the same length, for a method, at a rate in Hz."""


def _silence(passage: Signal, method: Method, rate: int) -> Signal:
    return np.zeros_like(passage)


def _noise(passage: Signal, method: Method, rate: int) -> Signal:
    noise = np.random.default_rng(0).uniform(-1, 1, passage.shape).astype(np.float32)
    return noise * np.float32(1.0 if method.in_ratio == 1 else _beyond(passage))


def _nan(passage: Signal, method: Method, rate: int) -> Signal:
    bad = passage.copy()
    bad[:, 1::3], bad[:, 2::6], bad[:, 0] = np.nan, np.inf, -np.inf
    return bad


def _denormals(passage: Signal, method: Method, rate: int) -> Signal:
    scale = max(float(np.abs(passage).max(initial=0.0)), 1e-6)
    return (passage / scale * np.float32(1e-39)).astype(np.float32)


def _jumps(passage: Signal, method: Method, rate: int) -> Signal:
    """Go from nothing to full scale and back, every 30 ms: never where blocks begin."""
    places = np.arange(passage.shape[-1]) * method.in_ratio // round(0.03 * rate) % 2
    full = 1.0 if method.in_ratio == 1 else _beyond(passage)
    scale = full / max(float(np.abs(passage).max(initial=0.0)), 1e-6)
    return (passage * np.float32(scale) * places).astype(np.float32)


DISTURBANCES: dict[str, Disturbance] = {
    "silence": _silence,
    "full-scale noise": _noise,
    "NaN": _nan,
    "denormals": _denormals,
    "level jumps": _jumps,
}


def _beyond(passage: Signal) -> float:
    return _LATENTS_BEYOND * max(float(np.abs(passage).max(initial=0.0)), 1.0)


def _allowed(trial: Trial) -> float:
    frames = trial.expected.shape[-1] * trial.method.out_ratio
    return frames / trial.player.rate - _SETTLED_SECONDS


def _recovery_seconds(trial: Trial, after: Signal) -> float | None:
    """Return when a passage is again what a fresh model makes of it, None if not in time."""
    expected, of = trial.expected, trial.method
    settled = max(round(_SETTLED_SECONDS * trial.player.rate / of.out_ratio), 1)
    if not np.isfinite(after[:, -settled:]).all():
        return None
    if trial.noisy:
        levels = [level_dbfs(signal[:, -settled:]) for signal in (after, expected)]
        return 0.0 if abs(levels[0] - levels[1]) < LEVEL_DB else None
    allowed = TOLERANCE * float(np.abs(expected).max(initial=0.0))
    other = np.flatnonzero(~(np.abs(after - expected).max(axis=0) <= allowed))
    frames = int(other[-1]) + 1 if len(other) else 0
    return frames * of.out_ratio / trial.player.rate if frames <= len(after[0]) - settled else None


def _borne(trial: Trial, name: str, heard: Signal, late: float) -> Outcome:
    """Say how soon a disturbance was over."""
    broken = float((~np.isfinite(heard)).any(axis=0).sum())
    bad = broken * trial.method.out_ratio / trial.player.rate
    when = f"within {late:.2f} s" if late else "at once"
    again = "its level is what it was" if trial.noisy else f"all is as before {when}"
    silenced = f" It gave numbers that are not finite for {bad:.2f} s." if bad else ""
    return Outcome(True, f"After {name} {again}.{silenced}", late + bad)


def _slowdown(times_ms: Sequence[float], blocks: int) -> float | None:
    """Return how many times as long the first blocks took as those after, None if not much."""
    if len(times_ms) <= blocks or blocks < 3:
        return None
    first, later = np.median(times_ms[2:blocks]), np.median(times_ms[blocks:])
    slower = first > _SLOWER * later and first - later > _SLOWER_MS
    return float(first / later) if slower else None


def _rough_edges(trial: Trial, whole: Signal) -> Outcome:
    name = trial.method.name
    if trial.method.out_ratio > 1:
        return Outcome(True, f"{name} draws noise that cannot be switched off: not compared.")
    edges, else_ = (_roughness(of, trial.player.block) for of in (trial.expected, whole))
    times = edges / max(else_, 1e-12)
    text = f"The edges of blocks are {times:.1f} times as rough as those places are in one go"
    if times > _STANDS_OUT:
        return Outcome(False, f"{name}: {text}. Export it for streaming.", times)
    return Outcome(True, f"{text} (its noise cannot be switched off).", times)


def _roughness(audio: Signal, block: int) -> float:
    """Return the median bend of a signal where blocks meet, its largest within two samples."""
    bend = np.abs(np.diff(audio, 2)).max(axis=0)
    edges = np.arange(block, audio.shape[-1] - 2, block)
    near: NDArray[np.float32] = bend[edges[:, None] + np.arange(-3, 2)]
    return float(np.median(near.max(axis=1)))


def _morphed(trial: Trial, amount: "float | NDArray[np.float64]") -> Signal:
    given = trial.passage.copy()
    given[2] = amount
    return trial.player.play(trial.method, given)


def _finding(name: str, outcomes: Iterable[Outcome]) -> Finding:
    outcomes = list(outcomes)
    failed = [of.text for of in outcomes if not of.passed]
    if failed:
        return Finding(name, False, " ".join(failed))
    return Finding(name, True, max(outcomes, key=lambda of: of.size).text)
