"""Steps per second of our training loop and of Lightning's, around the same RAVE steps.

``python benchmarks/train.py [--steps N]`` builds a small dataset, then trains the demo's model in
both phases with each loop in turn, three times, and prints the medians and their ratio. Both are
given the same batches; neither saves or validates.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytorch_lightning as pl
import torch
import yaml
from torch.utils.data import DataLoader

from morphene_core.profiles import Profile, load_profile
from morphene_core.rave.batches import batches
from morphene_core.rave.configuration import build_model, configure
from morphene_core.rave.dataset import serialize
from morphene_core.rave.host import HostedModel

WARM_UP = 10


def write_dataset(folder: Path, n_signal: int) -> None:
    """Write 64 entries of noise as a RAVE dataset."""
    noise = np.random.default_rng(0)
    with lmdb.open(str(folder), map_size=1 << 28) as database, database.begin(write=True) as put:
        for number in range(64):
            samples = noise.integers(-9000, 9000, 2 * n_signal, dtype=np.int16)
            put.put(f"{number:08d}".encode(), serialize(samples))
    metadata = {"lazy": False, "channels": 1, "n_seconds": 1.0, "sr": 48_000}
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))


def ours(data: list[torch.Tensor], adversarial: bool, steps: int) -> float:
    """Return steps per second of our loop."""
    model = HostedModel(1e-3, torch.device("cpu"))
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            begin = time.perf_counter()
        model.step(data[step].clone(), step, adversarial)
    return steps / (time.perf_counter() - begin)


class _Clock(pl.Callback):
    begin = end = 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == WARM_UP:
            self.begin = time.perf_counter()

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.end = time.perf_counter()


def lightnings(data: list[torch.Tensor], adversarial: bool, steps: int) -> float:
    """Return steps per second of Lightning's loop, with RAVE's own callbacks."""
    import rave.model

    model = build_model()
    model.warmup = 0 if adversarial else 10**9
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_steps=WARM_UP + steps,
            callbacks=[clock, rave.model.WarmupCallback(), rave.model.BetaWarmupCallback()],
            logger=pl.loggers.TensorBoardLogger(folder),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        loader = DataLoader([batch.clone() for batch in data], batch_size=None)  # type: ignore[arg-type]
        trainer.fit(model, loader)
    return steps / (clock.end - clock.begin)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="timed steps of each trial")
    steps = parser.parse_args().steps
    profile: Profile = load_profile("demo", Path("none"))
    torch.set_num_threads(1)
    configure(profile, 1000)
    with tempfile.TemporaryDirectory() as folder:
        dataset = Path(folder)
        write_dataset(dataset, profile.training.n_signal)
        source = batches(dataset, profile, (0,), 0)
        data = [next(source) for _ in range(WARM_UP + steps)]
        loops: dict[str, Callable[..., float]] = {"ours": ours, "lightning": lightnings}
        for phase, adversarial in ((1, False), (2, True)):
            rates: dict[str, list[float]] = {name: [] for name in loops}
            for _ in range(3):
                for name, loop in loops.items():
                    rates[name].append(loop(data, adversarial, steps))
            mine, its = (statistics.median(rates[name]) for name in loops)
            print(  # noqa: T201
                f"phase {phase}: ours {mine:.2f} steps/s, Lightning's {its:.2f}: {mine / its:.2f} x"
            )


if __name__ == "__main__":
    main()
