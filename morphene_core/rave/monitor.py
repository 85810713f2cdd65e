"""What watches a training from inside: checkpoints, states, losses, progress and stopping."""

import csv
import math
import time
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch

from morphene_core.errors import MorpheneError
from morphene_core.files import atomic_file, sha256
from morphene_core.progress import Progress, Report
from morphene_core.training import Checkpoint, TrainingFolder, TrainingRecord, checkpoint_name

_STATE_EVERY_SECONDS = 300.0
_ROWS = 500  # of the table of losses: enough for a curve

# RAVE's names of its losses -> ours, in the order of the table.
LOSSES = {
    "multiband_spectral_distance": "multiband_spectral_distance",
    "fullband_spectral_distance": "fullband_spectral_distance",
    "regularization": "regularization",
    "feature_matching": "feature_matching",
    "adversarial": "adversarial",
    "loss_dis": "discriminator",
}


class TrainingMonitor(pl.Callback):
    """Writes checkpoints and states, records losses, reports progress, stops when asked to.

    Saving happens at the *start* of a batch, before any other callback has counted it: at the end
    of one, the learning-rate schedule is still a step behind.
    """

    def __init__(self, folder: TrainingFolder, record: TrainingRecord, report: Report) -> None:
        self.record = record
        self._folder = folder
        self._settings = record.training_profile.training
        self._steps = set(record.training_profile.checkpoint_steps)
        self._row_every = max(1, self._settings.total_steps // _ROWS)
        self._report = report
        self._progress: Progress | None = None
        self._stopped = False
        self._begun = self._saved = time.monotonic()
        self._seconds_before = record.seconds

    def stop(self) -> None:
        """Ask for an end: the state is saved before the next batch, then the training stops."""
        self._stopped = True

    def on_train_start(self, trainer: Any, module: Any) -> None:
        """Set the learning rate of a new training; drop what a resumed one will do again."""
        step = trainer.global_step
        if step == 0:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = self._settings.learning_rate
        self._keep_rows_until(step)

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        """Save what is due before the batch begins."""
        self._save_due(trainer, module)
        if self._stopped:
            self._save_state(trainer)
            step = trainer.global_step
            raise MorpheneError(f"Training stopped at step {step:,}; the next run goes on there.")
        if time.monotonic() - self._saved > _STATE_EVERY_SECONDS:
            self._save_state(trainer)

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Record the losses and report how far the training is."""
        step = trainer.global_step
        if step % self._row_every == 0:
            losses = {
                LOSSES[k]: float(v) for k, v in trainer.callback_metrics.items() if k in LOSSES
            }
            broken = [name for name, value in losses.items() if not math.isfinite(value)]
            if broken:
                raise MorpheneError(f"Step {step:,}: the loss {broken[0]} is no finite number.")
            self._add_row(step, losses)
        self._advance(step)

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        """Record the distance to the held-out audio."""
        if not trainer.sanity_checking:
            value = float(trainer.callback_metrics["validation"])
            self._add_row(trainer.global_step, {"validation": value})

    def on_train_end(self, trainer: Any, module: Any) -> None:
        """Save what the last step calls for: there is no next batch to do it."""
        self._save_due(trainer, module)
        self._save_state(trainer)

    def _phase(self, step: int) -> int:
        return 1 if step <= self._settings.phase_1_steps else 2

    def _advance(self, step: int) -> None:
        """Report per phase: their steps differ in length several times over."""
        first = self._settings.phase_1_steps
        phase = self._phase(step)
        begin, end = (0, first) if phase == 1 else (first, self._settings.total_steps)
        what = f"training, phase {phase} of 2"
        if self._progress is None or self._progress.what != what:
            # The step that was just done took its time before the clock starts here.
            self._progress = Progress(what, end - begin, self._report, "steps", step - begin)
            return
        self._progress.advance(step - begin, f"{self._progress.rate:.1f} steps/s")

    def _save_due(self, trainer: Any, module: Any) -> None:
        step = trainer.global_step
        path = self._folder.checkpoints / checkpoint_name(step)
        if step not in self._steps or any(c.step == step for c in self.record.checkpoints):
            return
        # The discriminator is no part of an instrument; audits and `rave export` need the rest.
        state = {
            name: value.detach().cpu()
            for name, value in module.state_dict().items()
            if not name.startswith("discriminator.")
        }
        with atomic_file(path) as temporary:
            torch.save({"state_dict": state, "global_step": step}, temporary)
        checkpoint = Checkpoint(step, self._phase(step), path.name, sha256(path))
        self.record = self.record.with_checkpoint(checkpoint)
        self._save_state(trainer)
        self._report(f"{path.name} written")

    def _save_state(self, trainer: Any) -> None:
        with atomic_file(self._folder.state) as temporary:
            trainer.save_checkpoint(str(temporary))
        self._saved = time.monotonic()
        seconds = self._seconds_before + self._saved - self._begun
        self.record = replace(self.record, step=trainer.global_step, seconds=round(seconds, 1))
        self._folder.write(self.record)

    def _keep_rows_until(self, step: int) -> None:
        table = self._folder.losses
        if not table.exists():
            return
        with table.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row[0] == "step" or int(row[0]) <= step]
        with atomic_file(table) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    def _add_row(self, step: int, losses: dict[str, float]) -> None:
        table = self._folder.losses
        new = not table.exists()
        with table.open("a", newline="") as file:
            writer = csv.DictWriter(file, ["step", *LOSSES.values(), "validation"])
            if new:
                writer.writeheader()
            writer.writerow({"step": step, **{k: f"{v:.6g}" for k, v in losses.items()}})
