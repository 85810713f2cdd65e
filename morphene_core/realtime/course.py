"""What the courses of a real-time proof share, in the stand-in of nn~ and in Pure Data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.errors import InputError
from morphene_core.final_model import Method
from morphene_core.progress import Report
from morphene_core.realtime.faults import PASSAGE_SECONDS, Trial
from morphene_core.realtime.host import (
    SINGLE_BUFFER,
    Signal,
    block_size,
    buffer_latency,
)
from morphene_core.realtime.latency import measure
from morphene_core.realtime.machine import Machine
from morphene_core.realtime.model import LoadedModel
from morphene_core.realtime.player import Player, StandIn
from morphene_core.realtime.report import (
    LIMIT,
    Finding,
    Latency,
    Memory,
    RealtimeReport,
    judge,
)
from morphene_core.realtime.signals import (
    KNOWN,
    fitted,
    frames_for,
    is_morph,
    playable,
    repeated,
    sources,
)
from morphene_core.realtime.timing import Run

_NOISE_BLOCKS = 8


@dataclass(frozen=True)
class Course:
    """What is to be played, and how.

    Attributes:
        model: fresh from its file; only copies of it are played.
        driven: its methods that are played.
        block: samples of audio per block.
        rate: in Hz.
        seconds: audio that each method plays against the clock.
        threads: that torch may use.
        musical: the musical source, shape (samples,), at the rate.
        given: what each method is given to play, by its name.
        noisy: methods that draw noise although all is switched off that can be.
        report: takes progress.
    """

    model: LoadedModel
    driven: list[Method]
    block: int
    rate: int
    seconds: float
    threads: int
    musical: Mono
    given: dict[str, Signal]
    noisy: frozenset[str]
    report: Report

    @property
    def deadline_ms(self) -> float:
        """What a block may take."""
        return 1e3 * self.block / self.rate

    def stand_in(self, seed: int = 0) -> StandIn:
        """Return the stand-in, with the model's noise off as far as it can be."""
        return StandIn(self.model, self.block, self.rate, self.model.quiet, seed)

    def conclude(
        self,
        machine: Machine,
        runs: Sequence[Run],
        faults: Sequence[Finding],
        latency: Latency,
        memory: Memory | None = None,
    ) -> RealtimeReport:
        """Put together what was found, with the verdict."""
        times = [run.times for run in runs]
        verdict, text = judge(times, faults, self.deadline_ms, machine)
        return RealtimeReport(
            verdict=verdict,
            text=text,
            sample_rate=self.rate,
            block=self.block,
            seconds=self.seconds,
            deadline_ms=round(self.deadline_ms, 3),
            limit=LIMIT,
            machine=machine,
            methods=times,
            latency=latency,
            memory=memory,
            faults=list(faults),
            not_driven=[name for name, of in self.model.methods.items() if not playable(of)],
            warnings=warnings_of(self.model, self.block),
            times={run.times.name: run.times_ms for run in runs},
        )


def prepare(
    path: Path,
    methods: Sequence[str] | None,
    block: int,
    seconds: float,
    threads: int,
    audio: tuple[Mono, Mono] | None,
    report: Report,
) -> Course:
    """Load a model and make what it is given to play, see `morphene_core.realtime.prove`."""
    report(f"loading {path.name}")
    model = LoadedModel(path)
    driven = choose_methods(model, methods)
    block, rate = block_size(model, block), model.sample_rate or SAMPLE_RATE
    musical, nonmusical = sources(audio, rate, least=block)
    given = _material(model, driven, block, rate, musical, nonmusical)
    noisy = _noisy(model, driven, block, rate, given)
    return Course(model, driven, block, rate, seconds, threads, musical, given, noisy, report)


def choose_methods(model: LoadedModel, wanted: Sequence[str] | None) -> list[Method]:
    """Return the methods to play: those that are asked for, else all that are known.

    Raises:
        InputError: the model has no such method, or it is not known how to play it.
    """
    known = {name: of for name, of in model.methods.items() if playable(of)}
    for name in wanted or ():
        if name not in model.methods:
            raise InputError(
                f"{model.path} has no method {name}, but {', '.join(model.methods)}. nn~ would"
                " play forward in its place."
            )
        if name not in known:
            raise InputError(f"How to play {name} is not known. Known: {', '.join(KNOWN)}.")
    if not known:
        raise InputError(
            f"{model.path} has {', '.join(model.methods)}, and none of {', '.join(KNOWN)}: no RAVE."
        )
    return [known[name] for name in dict.fromkeys(wanted or known)]


def trials_of(course: Course, player: Player) -> list[Trial]:
    """Return each method with a passage for it, and what a fresh model makes of that.

    Those that fail in it are left out: there is nothing to disturb.
    """
    trials = []
    for of in course.driven:
        blocks = round(PASSAGE_SECONDS * course.rate / course.block)
        frames = blocks * course.block // of.in_ratio
        passage = repeated(course.given[of.name], frames)
        expected = player.play(of, passage)
        if not player.errors:
            trials.append(Trial(player, of, passage, expected, of.name in course.noisy))
    return trials


def latency_of(course: Course, player: Player) -> Latency:
    """Return the latency of a model, and what nn~'s buffers add to the method it is used by."""
    course.report("measuring the latency")
    of = _used(course.driven)
    found = measure(player, of, course.musical) if _is_audio(of) else None
    threaded = buffer_latency(of.in_channels, of.out_channels, course.block, threaded=True)
    synchronous = buffer_latency(
        of.in_channels, of.out_channels, course.model.largest_ratio, threaded=False
    )
    computed, most = course.model.latency, found.most if found else None

    def ms(samples: int) -> float:
        return round(1e3 * samples / course.rate, 1)

    return Latency(
        computed_samples=computed,
        computed_ms=None if computed is None else ms(computed),
        first_samples=found.first if found else None,
        measured_samples=most,
        measured_ms=None if most is None else ms(most),
        buffer_samples=threaded,
        buffer_ms=ms(threaded),
        synchronous_samples=synchronous,
        synchronous_ms=ms(synchronous),
        method=of.name,
    )


def warnings_of(model: LoadedModel, block: int) -> list[str]:
    """Return what no verdict depends on, and a user should know."""
    warnings = []
    if model.sample_rate is None:
        warnings.append(f"The model says no possible rate of its own: {SAMPLE_RATE:,} Hz is taken.")
    elif model.sample_rate != SAMPLE_RATE:
        warnings.append(
            f"It is made for {model.sample_rate:,} Hz: nn~ plays it at any rate, out of tune."
        )
    if model.largest_ratio & (model.largest_ratio - 1):
        warnings.append(
            f"Its ratio of {model.largest_ratio} is no power of two: nn~ cannot play it in blocks"
            " of that size."
        )
    if block > SINGLE_BUFFER and (single := narrow_methods(model)):
        warnings.append(
            f"nn~ crashes if it is made with a buffer of more than {SINGLE_BUFFER:,} samples for"
            f" {', '.join(single)}."
        )
    return warnings


def narrow_methods(model: LoadedModel) -> list[str]:
    """Return the methods with one input and one output, whose buffers nn~ never makes anew."""
    methods = model.methods.values()
    return [of.name for of in methods if of.in_channels == of.out_channels == 1]


def outputs(runs: Sequence[Run]) -> Finding:
    """Say whether what came out can be heard."""
    wrong = [f"{run.times.name} {run.wrong}." for run in runs if run.wrong]
    text = " ".join(wrong) or "Every method gives finite numbers that can be heard."
    return Finding("output", not wrong, text)


def _used(driven: Sequence[Method]) -> Method:
    """Return the method that an instrument plays: the morph, else one from audio to audio."""
    return min(driven, key=lambda of: (not is_morph(of), not _is_audio(of), of.name != "forward"))


def _is_audio(method: Method) -> bool:
    return method.in_ratio == method.out_ratio == 1


def _material(
    model: LoadedModel,
    driven: Sequence[Method],
    block: int,
    rate: int,
    musical: Mono,
    nonmusical: Mono,
) -> dict[str, Signal]:
    """Return what each method is given to play, by its name."""

    def encode(audio: Signal) -> Signal:
        encoder = model.methods.get("encode")
        if encoder and encoder.in_ratio == 1:
            player = StandIn(model, block, rate, model.quiet)
            latents = player.play(encoder, fitted(audio, encoder.in_channels))
            if not player.errors and np.isfinite(latents).all():
                return latents
        # A decoder alone, or beside an encoder that fails: latents of unit variance.
        frames = audio.shape[-1] // model.largest_ratio
        rng = np.random.default_rng(0)
        return rng.standard_normal((model.methods["decode"].in_channels, frames), np.float32)

    return {of.name: frames_for(of, musical, nonmusical, rate, encode) for of in driven}


def _noisy(
    model: LoadedModel,
    driven: Sequence[Method],
    block: int,
    rate: int,
    given: dict[str, Signal],
) -> frozenset[str]:
    """Return the methods that draw noise although all is switched off that can be."""
    players = [StandIn(model, block, rate, model.quiet, seed) for seed in (0, 1)]
    noisy = set()
    for of in driven:
        short = repeated(given[of.name], _NOISE_BLOCKS * block // of.in_ratio)
        a, b = (player.play(of, short) for player in players)
        if not np.array_equal(a, b, equal_nan=True):
            noisy.add(of.name)
    return frozenset(noisy)
