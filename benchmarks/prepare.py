"""How fast raw recordings become prepared audio, and with how much memory.

    python benchmarks/prepare.py [--minutes 60] [--json]

Generates stereo 24-bit recordings at 48 kHz in a temporary folder, half violin, half fire, the
same bytes each time. Then it runs over the same files, each in a process of its own:

- Morphene's examination: every file read and judged, coverage counted, copies looked for;
- Morphene's `prepare_audio`, both roles;
- ffmpeg with silenceremove, loudnorm and aresample to mono 48 kHz 24-bit WAV, file by file;
- stock `rave preprocess`.

The memory is that of the largest single process, children included, as the kernel counted it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE_MINUTES = 5
ROLES = ("musical", "nonmusical")
FILTERS = (
    "silenceremove=start_periods=1:start_threshold=-60dB"
    ":stop_periods=-1:stop_duration=1:stop_threshold=-60dB,"
    "loudnorm=I=-20:TP=-1,aresample=48000"
)


@dataclass(frozen=True)
class Measured:
    """What a job took."""

    job: str
    seconds: float
    megabytes: float


# What is measured: each takes the folder of the raw recordings and one to write to. numpy and
# Morphene are imported inside, lest the measuring process be large: the kernel counts the memory
# of a process from its fork on.


def generate(raw: Path, minutes: float) -> None:
    """Write the recordings, and `recordings.json` with what is known of them."""
    from morphene_core.files import sha256

    listed: dict[str, list[dict[str, Any]]] = {}
    for role in ROLES:
        (raw / role).mkdir(parents=True)
        count = max(1, round(minutes / FILE_MINUTES / len(ROLES)))
        seconds = 60 * minutes / len(ROLES) / count
        for number, path in enumerate(raw / role / f"{i:02d}.wav" for i in range(count)):
            _record(path, _sounds(role), seconds, number)
            listed.setdefault(role, []).append(
                {"path": path.name, "sha256": sha256(path), "seconds": seconds}
            )
    (raw / "recordings.json").write_text(json.dumps(listed))


def _sounds(role: str) -> Iterator[Any]:
    from morphene_core.synthesis import fire_takes, violin_takes

    return violin_takes(60.0) if role == "musical" else fire_takes(60.0)


def _record(path: Path, takes: Iterator[Any], seconds: float, seed: int) -> None:
    """Write takes one after the other, at other levels each time, with rests, in a noisy room."""
    import numpy as np
    import soundfile

    rng = np.random.default_rng(seed)
    sounds = [take.audio for take in takes]
    with soundfile.SoundFile(path, "w", 48_000, 2, "PCM_24") as file:
        left, number = round(seconds * 48_000), seed
        while left:
            sound = sounds[number % len(sounds)] * rng.uniform(0.1, 0.8)
            rest = np.zeros(round(rng.uniform(0.2, 4.0) * 48_000), np.float32)
            mono = np.concatenate([sound, rest])[:left]
            stereo = np.stack([mono, 0.7 * np.roll(mono, 12)], axis=1)
            file.write(stereo + rng.normal(0, 1e-4, stereo.shape))
            left -= len(mono)
            number += 1


def examine(raw: Path, out: Path) -> None:
    """Read and judge every file, as `musical_source` and `nonmusical_source` do."""
    from morphene_core.home import ROLES
    from morphene_core.sources.manifest import File, Manifest, Source
    from morphene_core.sources.register import take_stock

    listed = json.loads((raw / "recordings.json").read_text())
    for role in ROLES:
        files = tuple(File(**entry) for entry in listed[role])
        source = Source(name="Takes", origin="synthesized", licence="CC0-1.0", files=files)
        register = take_stock(raw / role, Manifest(source=(source,)), role)
        if len(register.accepted) != len(files):
            raise SystemExit(f"not all files were accepted: {register.files}")


def prepare(raw: Path, out: Path) -> None:
    """Prepare all files, as `musical_audio` and `nonmusical_audio` do."""
    from morphene_core.audio.prepare import prepare_audio
    from morphene_core.audio.prepared import AudioSettings, Recording
    from morphene_core.home import ROLES

    listed = json.loads((raw / "recordings.json").read_text())
    for role in ROLES:
        recordings = [Recording(**entry) for entry in listed[role]]
        prepare_audio(raw / role, recordings, "benchmark", out / role, AudioSettings.of(role))


def ffmpeg(raw: Path, out: Path) -> None:
    """Run ffmpeg on each file."""
    out.mkdir()
    for number, file in enumerate(sorted(raw.rglob("*.wav"))):
        command = ["ffmpeg", "-v", "error", "-i", file, "-af", FILTERS, "-ac", "1"]
        subprocess.run([*command, "-c:a", "pcm_s24le", out / f"{number}.wav"], check=True)


def rave(raw: Path, out: Path) -> None:
    """Run stock `rave preprocess`."""
    command = [sys.executable, "-m", "morphene_core.rave.stock", "preprocess"]
    command += ["--input_path", str(raw), "--output_path", str(out), "--num_signal", "131072"]
    command += ["--sampling_rate", "48000", "--channels", "1"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


JOBS: dict[str, Callable[[Path, Path], None]] = {
    "Morphene: examine, with coverage": examine,
    "Morphene: prepare": prepare,
    "ffmpeg: silenceremove, loudnorm, aresample": ffmpeg,
    "stock rave preprocess": rave,
}
OURS, COMPARED_WITH = list(JOBS)[:2], list(JOBS)[2:]


# Measuring


def measure(job: str, *arguments: str) -> Measured:
    """Run a job of this file in a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, __file__, "--job", job, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{job} failed")
    return Measured(job, time.monotonic() - start, usage.ru_maxrss / 1024)


def run(minutes: float) -> list[Measured]:
    """Measure all jobs on the same recordings."""
    with tempfile.TemporaryDirectory(prefix="morphene-benchmark-") as name:
        raw = Path(name) / "raw"
        measure("generate", str(raw), str(minutes))
        os.sync()  # or the first job would share the disk with what was just written
        results = [measure(job, str(raw), f"{name}/{i}") for i, job in enumerate(JOBS)]
    ours = [result for result in results if result.job in OURS]
    seconds = sum(result.seconds for result in ours)
    both = Measured("Morphene: both", seconds, max(result.megabytes for result in ours))
    return [*ours, both, *results[len(ours) :]]


def table(minutes: float, results: list[Measured]) -> str:
    """Return the results as a Markdown table."""
    seconds = {result.job: result.seconds for result in results}
    lines = [
        f"{minutes:g} minutes of stereo 48 kHz 24-bit audio, {os.cpu_count()} cores",
        "",
        "| | wall time | audio / time | peak memory | times as fast as ffmpeg | as rave |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        ratios = [f"{seconds[other] / result.seconds:.1f}" for other in COMPARED_WITH]
        lines.append(
            f"| {result.job} | {result.seconds:.1f} s | {60 * minutes / result.seconds:.0f} |"
            f" {result.megabytes:.0f} MB | {' | '.join(ratios)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure, or run one job for a measuring process."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.job:
        job, raw, argument = chosen.job
        if job == "generate":
            generate(Path(raw), float(argument))
        else:
            JOBS[job](Path(raw), Path(argument))
        return
    results = run(chosen.minutes)
    text = table(chosen.minutes, results)
    if chosen.json:
        data = {"minutes": chosen.minutes, "cores": os.cpu_count()}
        text = json.dumps(data | {"jobs": [asdict(result) for result in results]}, indent=2)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
