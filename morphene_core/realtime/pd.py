"""Pure Data with the real nn~ as the player of a model: no windows, and no sound card."""

import math
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from morphene_core.audio.wav import Mono
from morphene_core.errors import InputError, MorpheneError
from morphene_core.final_model import Method
from morphene_core.processes import die_with_parent
from morphene_core.realtime import pd_patch
from morphene_core.realtime.host import (
    TICK,
    Attributes,
    BlockTime,
    Signal,
    buffer_latency,
)

_EXTERNALS = {"Linux": "nn~.pd_linux", "Darwin": "nn~.pd_darwin", "Windows": "nn~.dll"}
_PLACES = (
    "~/Documents/Pd/externals",
    "~/pd-externals",
    "~/.local/lib/pd/extra",
    "/usr/local/lib/pd-externals",
    "/usr/lib/pd/extra",
    "/usr/local/lib/pd/extra",
)
_START_SECONDS, _SLOWEST = 120.0, 20.0  # a run may take so long, and so many times its audio
_LARGEST_WAV = 2**32 - 2**10  # bytes, without its header
_SAMPLE = 4  # bytes
_UNDISTURBED = 0.95  # share of the time in which the program had the processor
_LINE = re.compile(r"error|couldn't|problem|nn~: (?!dimensions)", re.IGNORECASE)
_VERSION = re.compile(r"nn~ - (\S+) - torch (\S+)")


@dataclass(frozen=True)
class PdFiles:
    """Where Pure Data and nn~ lie.

    Attributes:
        pd: the program.
        nn: folder of the external.
    """

    pd: Path
    nn: Path


def find_pd(pd: Path | None = None, nn: Path | None = None) -> PdFiles:
    """Return where Pure Data and nn~ are installed.

    Args:
        pd: the program, if it is not on PATH.
        nn: folder of the external, if it is not in one of Pure Data's own.

    Raises:
        InputError: one of them is missing; it says what to do.
    """
    program = str(pd.expanduser()) if pd else "pd"
    found = shutil.which(program)
    if found is None:
        raise InputError(
            f"{program} is not installed: Pure Data plays no model here. Debian:"
            " `apt install puredata-core`; or name the program with --pd."
        )
    external = _EXTERNALS.get(platform.system(), _EXTERNALS["Linux"])
    places = [nn] if nn else [Path(place) for place in _PLACES]
    for place in places:
        for folder in (place.expanduser(), place.expanduser() / "nn_tilde"):
            if (folder / external).is_file():
                return PdFiles(Path(found).absolute(), folder.absolute())
    raise InputError(
        f"{external} is not in {nn or 'any folder of Pure Data'}: Pure Data plays no model here"
        " without nn~. docs/realtime.md says how to get it; name its folder with --nn."
    )


def most_seconds(method: Method, block: int, rate: int) -> int:
    """Return for how many seconds a method can be played: its signals are WAV files, up to 4 GiB.

    Args:
        method: of the model.
        block: nn~'s buffer size.
        rate: in Hz.
    """
    channels = max(method.in_channels, method.out_channels)
    late = buffer_latency(method.in_channels, method.out_channels, block, threaded=True)
    samples = _LARGEST_WAV // (_SAMPLE * channels) - (late + TICK + block)
    return samples // rate


class PureData:
    """Pure Data as a `morphene_core.realtime.player.Player`, which sees no processor times.

    nn~ computes beside the audio thread, as it does by default, with a buffer of one block. Audio
    time passes as fast as the machine can, so that nothing is lost when a block is late.

    Args:
        files: where it lies.
        model: the .ts.
        block: nn~'s buffer size.
        rate: in Hz.
        attributes: what is set after loading.
        threads: that torch may use, by the variable OMP_NUM_THREADS; None leaves it to torch.
    """

    def __init__(
        self,
        files: PdFiles,
        model: Path,
        block: int,
        rate: int,
        attributes: Attributes,
        threads: int | None = 1,
    ) -> None:
        self.block, self.rate = block, rate
        self.times_ms: list[float] = []
        self._wall_ms: list[float] = []
        self.errors: list[str] = []
        self.nn_version = self.torch_version = ""
        self._cpu_share = 1.0
        self._files, self._model, self._attributes = files, model, attributes
        self._threads = threads

    def play(self, method: Method, frames: Signal, reload_at: int | None = None) -> Signal:
        """Play a signal, see `Player.play`.

        Raises:
            MorpheneError: Pure Data fails or does not come to an end, or there is no room for what
                it plays.
        """
        count = frames.shape[-1] * method.in_ratio // self.block
        late = buffer_latency(method.in_channels, method.out_channels, self.block, threaded=True)
        filled = late + TICK - self.block
        play = pd_patch.Play(
            method,
            self.block,
            self.rate,
            late + count * self.block + TICK,
            self._attributes,
            None if reload_at is None else filled + (reload_at - 1) * self.block,
        )
        audio = np.repeat(frames[:, : count * self.block // method.in_ratio], method.in_ratio, 1)
        with tempfile.TemporaryDirectory(prefix="morphene-pd-") as name:
            folder = Path(name)
            (folder / pd_patch.MODEL).symlink_to(self._model.absolute())
            pd_patch.write_patch(folder, play)
            try:
                soundfile.write(folder / pd_patch.GIVEN, audio.T, self.rate, subtype="FLOAT")
                self._run(folder, play)
                heard, finite, ticks = _recorded(folder, play)
            except (soundfile.LibsndfileError, EOFError) as error:
                raise MorpheneError(_no_room(folder.parent, play)) from error
        heard[:, finite[0] == 0] = np.nan
        self._wall_ms = _block_times(ticks[0], filled, self.block, count)
        last = method.out_ratio - 1
        return np.ascontiguousarray(heard[:, late:][:, : count * self.block][:, last :: last + 1])

    def block_times(self) -> list[BlockTime]:
        """Return what the blocks that were played last took.

        Pure Data does not say how much of the processor each of them took. Where the program had
        the processor all the time, it is the time on the clock; else the mean of all stands for it.
        """
        walls = [ms / 1e3 for ms in self._wall_ms]
        if self._cpu_share > _UNDISTURBED:
            return [BlockTime(wall, wall) for wall in walls]
        mean = self._cpu_share * sum(walls) / max(len(walls), 1)
        return [BlockTime(wall, min(wall, mean)) for wall in walls]

    def _run(self, folder: Path, play: pd_patch.Play) -> None:
        began, cpu = time.monotonic(), _children_cpu_seconds()
        seconds = _START_SECONDS + _SLOWEST * play.samples / play.rate
        command = [
            *(str(self._files.pd), "-nogui", "-noaudio", "-batch", "-stderr", "-noprefs", "-nrt"),
            *("-r", str(play.rate), "-path", str(self._files.nn), "-open", pd_patch.PATCH),
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=_environment(self._threads),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
                preexec_fn=lambda: die_with_parent(signal.SIGTERM),
            )
        except subprocess.TimeoutExpired as error:
            raise MorpheneError(
                f"Pure Data did not come to an end in {seconds:.0f} s with {self._model}."
            ) from error
        self._cpu_share = min(1.0, (_children_cpu_seconds() - cpu) / (time.monotonic() - began))
        self._heed(done.stdout + done.stderr)
        if done.returncode or not (folder / pd_patch.TICKS).exists():
            reason = self.errors[0] if self.errors else f"exit status {done.returncode}"
            raise MorpheneError(f"Pure Data does not play {self._model}: {reason}")

    def _heed(self, said: str) -> None:
        """Take from what Pure Data said the versions of what plays, and what went wrong."""
        self.errors = [line.strip() for line in said.splitlines() if _LINE.search(line)]
        if version := _VERSION.search(said):
            self.nn_version, self.torch_version = version[1].removeprefix("v"), version[2]
        if "couldn't create" in said:
            raise MorpheneError(
                f"Pure Data does not play {self._model}: it cannot load nn~ from {self._files.nn}."
            )


def _recorded(folder: Path, play: pd_patch.Play) -> list[Signal]:
    """Return what Pure Data wrote: what was heard, where that is finite, and what each tick took.

    Raises:
        EOFError: a part of it is missing, as on a disk that is full.
    """
    lengths = {
        pd_patch.HEARD: play.samples,
        pd_patch.FINITE: play.samples,
        pd_patch.TICKS: play.samples // TICK,
    }
    files: list[Signal] = [
        soundfile.read(folder / name, dtype="float32", always_2d=True)[0].T for name in lengths
    ]
    if [file.shape[-1] for file in files] != list(lengths.values()):
        raise EOFError
    return files


def _no_room(folder: Path, play: pd_patch.Play) -> str:
    signals = play.method.in_channels + play.method.out_channels + 1 + 1 / TICK
    needed = math.ceil(_SAMPLE * signals * play.samples / 2**20)
    return (
        f"{folder} has no room for what Pure Data plays and writes, {needed:,} MB. Make some, or"
        " name another folder: TMPDIR=FOLDER before the command."
    )


def _environment(threads: int | None) -> Mapping[str, str]:
    kept = dict(os.environ)
    return kept if threads is None else kept | {"OMP_NUM_THREADS": str(threads)}


def _children_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _block_times(ticks: Mono, filled: int, block: int, count: int) -> list[float]:
    """Return what each block took, in ms: the ticks from its thread's beginning until it is joined.

    Args:
        ticks: what each tick took, in ms.
        filled: samples in nn~'s input buffer when it hands on a block.
        block: samples per block.
        count: of blocks.
    """
    first = filled // TICK
    per_block = block // TICK
    return [float(ticks[first + index * per_block :][:per_block].sum()) for index in range(count)]
