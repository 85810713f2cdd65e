"""What an audit costs, and what many checkpoints in one process share.

``python benchmarks/audit.py [--checkpoints N] [--profile demo|production]`` makes checkpoints with
new weights, and audits them with ten seconds of synthesized violin and fire: all in one process,
and, for comparison, three of them in a process each. It prints the time of each checkpoint and the
memory after it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

SECONDS = 10.0
ALONE = 3


def make_checkpoints(folder: Path, profile_name: str, count: int) -> None:
    """Write checkpoints with new weights, and the references."""
    import torch

    from morphene_core.audio.wav import SAMPLE_RATE, write_wav
    from morphene_core.profiles import load_profile
    from morphene_core.rave.configuration import build_model, configure, write_config
    from morphene_core.synthesis import fire_takes, violin_takes

    configure(load_profile(profile_name, folder))
    for step in range(1, count + 1):
        torch.manual_seed(step)
        state = {
            name: value
            for name, value in build_model().state_dict().items()
            if name.startswith(("encoder.", "decoder.", "latent_", "pqmf."))
        }
        torch.save({"state_dict": state, "global_step": step}, folder / f"checkpoint_{step:06d}.pt")
    write_config(folder)
    for name, takes in (("violin", violin_takes), ("fire", fire_takes)):
        audio = next(iter(takes(60.0))).audio[: int(SECONDS * SAMPLE_RATE)]
        write_wav(folder / f"{name}.wav", audio)


def audit(folder: Path, files: list[Path], output: Path) -> None:
    """Audit files in this process; print a line of JSON for each."""
    import resource

    begin = time.perf_counter()
    from morphene_core.audits import audit_all, to_audit, write_references
    from morphene_core.audits.model import AuditedModel
    from morphene_core.rave.models import CheckpointModels

    models = CheckpointModels()
    chosen = {"musical": folder / "violin.wav", "nonmusical": folder / "fire.wav"}
    references = write_references(output, chosen, {"musical": (), "nonmusical": ()}, 0)  # type: ignore[arg-type]
    audited = to_audit(files, output, "benchmark", models.facts)
    ended = [begin]

    def note() -> None:
        now = time.perf_counter()
        memory = _resident_mb()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        click.echo(json.dumps({"seconds": now - ended[-1], "MB": memory, "peak MB": peak}))
        ended.append(now)

    opened = []

    def open_model(path: Path) -> AuditedModel:
        if opened:
            note()
        opened.append(path)
        return models.open(path)

    audit_all(audited, references, open_model)
    note()


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def in_a_process(folder: Path, files: list[Path], output: Path) -> tuple[float, list[dict]]:  # type: ignore[type-arg]
    """Audit files in a new process; return its wall time and what it printed."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--audit", folder, output, *files],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return time.perf_counter() - begin, [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--audit", nargs="+", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.audit:
        audit(given.audit[0], given.audit[2:], given.audit[1])
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_checkpoints(folder, given.profile, given.checkpoints)
        files = sorted(folder.glob("*.pt"))
        whole, lines = in_a_process(folder, files, folder / "together")
        alone = [in_a_process(folder, [f], folder / f"alone-{f.stem}")[0] for f in files[:ALONE]]
    rest = [line["seconds"] for line in lines[1:]] or [lines[0]["seconds"]]
    marginal = sum(rest) / len(rest)
    each = sum(alone) / len(alone)
    click.echo(f"profile {given.profile}, references of {SECONDS:.0f} s, {len(files)} checkpoints")
    click.echo(f"one process for all:      {whole:.1f} s")
    click.echo(
        f"the first checkpoint:     {lines[0]['seconds']:.1f} s, imports and references included"
    )
    click.echo(f"each of the others:       {marginal:.2f} s ({min(rest):.2f} to {max(rest):.2f})")
    click.echo(f"a process for each:       {each:.1f} s, {each / marginal:.2f} times that")
    later = [line["MB"] for line in lines[len(lines) // 2 :]]
    click.echo(f"memory after the first:   {lines[0]['MB']:.0f} MB")
    click.echo(f"after the second half:    {min(later):.0f} to {max(later):.0f} MB")
    click.echo(f"peak memory:              {lines[-1]['peak MB']:.0f} MB")


if __name__ == "__main__":
    main()
