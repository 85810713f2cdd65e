"""The training loop: steps, and between them whatever is due."""

import csv
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from morphene_core.files import atomic_file, sha256, write_json
from morphene_core.gpus import Gpu, read_gpu
from morphene_core.profiles import Profile
from morphene_core.progress import Progress, Report
from morphene_core.rave.batches import batches
from morphene_core.rave.configuration import write_config
from morphene_core.rave.host import LOSSES, HostedModel
from morphene_core.rave.seeding import MODEL, RECEPTIVE_FIELD, STEP, VALIDATION, seed_everything
from morphene_core.rave.validate import Validation, validate
from morphene_core.training import Checkpoint, TrainingFolder, TrainingRecord, checkpoint_name, now
from morphene_core.training.attempt import Observe
from morphene_core.training.heartbeat import Heartbeat
from morphene_core.training.live import Live, write_live
from morphene_core.training.requests import obey
from morphene_core.training.schedule import Schedule
from morphene_core.training.states import State, newest_whole, state_path, write_state
from morphene_core.training.watchdogs import (
    ROLLBACK_FACTOR,
    DiscriminatorWatch,
    WatchdogError,
    check_disk,
    check_gradients,
    check_latents,
    check_losses,
    check_output,
)

_CHECK_EVERY = 10  # steps between looks at losses and gradients: each look waits for the GPU
_ROWS = 500  # of the table of losses: enough for a curve
_LIVE_SECONDS = 2.0
_FIRST_OBSERVATION, _LONGEST_OBSERVATION = 15.0, 600.0  # seconds between observations, growing


class StoppedError(Exception):
    """The training was asked to stop, and has saved its state."""


class Trainer:
    """Trains from the newest state to the end of the schedule.

    Args:
        folder: of the training.
        record: with its schedule.
        dataset: RAVE dataset.
        windows: held-out audio, (n, 1, samples).
        device: where to train.
        gpu: NVML's name of the device, if it is a GPU.
        heartbeat: hears of every step, and knows whether to stop.
        report: takes progress.
        observe: takes checkpoints and progress as data.
    """

    def __init__(
        self,
        folder: TrainingFolder,
        record: TrainingRecord,
        dataset: Path,
        windows: torch.Tensor,
        device: torch.device,
        gpu: str | None,
        heartbeat: Heartbeat,
        report: Report,
        observe: Observe,
    ) -> None:
        self.record = record
        self._folder, self._windows, self._gpu = folder, windows, gpu
        self._heartbeat, self._report, self._observe = heartbeat, report, observe
        self._profile: Profile = record.training_profile
        state = newest_whole(folder, report)
        self._step = state.step if state else 0
        self._validated_at = state.step if state and state.validated else -1
        if self._checkpoint_due():
            self._validated_at = -1  # killed before it was recorded: its manifest tells of this
        self._seed = (self._profile.training.seed, len(record.rollbacks))
        self._model = self._restored(state, device)
        self._batches = batches(dataset, self._profile, self._seed, self._step)
        write_config(folder.checkpoints)  # once everything was made that gin configures
        self._forget_undone(state)
        self._discriminator = DiscriminatorWatch(self._profile.watchdogs)
        self._progress: Progress | None = None
        self._gpu_now: Gpu | None = None
        self._losses: dict[str, float] = state.losses if state else {}
        self._validation: Validation | None = None
        self._begun = self._saved = time.monotonic()
        self._saved_at = self._step
        self._seconds_before = self.record.seconds
        self._spoken = float("-inf")
        self._next_observation = _FIRST_OBSERVATION

    @property
    def _schedule(self) -> Schedule:
        assert self.record.schedule is not None
        return self.record.schedule

    def run(self) -> TrainingRecord:
        """Train to the end; return the record.

        Raises:
            StoppedError: on request; the state is saved.
            WatchdogError: a watchdog barked.
        """
        if self._step:
            self._report(f"resuming from step {self._step:,}")
        try:
            while True:
                self._between_steps()
                if self._step >= self._schedule.total_steps:
                    return self.record
                self._train(next(self._batches))
        finally:
            self._model.close()

    def _restored(self, state: State | None, device: torch.device) -> HostedModel:
        settings = self._profile.training
        seed_everything((settings.seed, MODEL))
        model = HostedModel(settings.learning_rate, device, self._folder.tensorboard, self._step)
        if state is None:
            seed_everything((settings.seed, RECEPTIVE_FIELD))
            model.find_receptive_field()
            made = 0
        else:
            saved = torch.load(
                state_path(self._folder, state.step), map_location=device, weights_only=True
            )
            model.load(saved)
            made = state.rollbacks
        model.scale_learning_rate(ROLLBACK_FACTOR ** (len(self.record.rollbacks) - made))
        return model

    def _train(self, batch: torch.Tensor) -> None:
        seed_everything((*self._seed, STEP, self._step))
        adversarial = self._step >= self._schedule.phase_1_steps
        self._model.step(batch, self._step, adversarial)
        self._step += 1
        if self._step % _CHECK_EVERY == 0 or self._step % self._row_every == 0:
            self._look()
        self._say()

    def _look(self) -> None:
        """Look at losses and gradients; note them."""
        self._losses = self._model.losses()
        check_losses(self._losses, self._step)
        check_gradients(self._model.gradient_norm(), self._step, self._profile.watchdogs)
        if "discriminator" in self._losses:
            loss = self._losses["discriminator"] / self._model.discriminator_scales
            if warning := self._discriminator.see(loss):
                self._warn("discriminator", warning)
        if self._step % self._row_every == 0:
            self._add_row(self._losses)
            self._model.write(self._losses, self._step)

    def _warn(self, watchdog: str, reason: str) -> None:
        self.record = self.record.with_warning(watchdog, reason)
        self._folder.write(self.record)
        self._report(f"Warning: {watchdog}: {reason}")

    def _between_steps(self) -> None:
        """Do what is due after ``step`` batches: all of it can be done again after a kill."""
        self._heartbeat.beat()
        if self._folder.request.exists():
            self.record = obey(self._folder, self.record, self._step)
            self._report(f"schedule changed: {self._schedule.changes[-1]['kind']}")
        if self._validation_due():
            self._validate()
        if self._checkpoint_due():
            self._save_checkpoint()
        elif self._validated_at == self._step > self._saved_at:
            self._save_state()  # what a watchdog goes back to
        elif time.monotonic() - self._saved > 60 * self._profile.training.state_minutes:
            self._save_state()
        if self._heartbeat.stop_requested:
            self._stop()

    def _stop(self) -> None:
        self._save_state()
        self._write_live("stopped")
        raise StoppedError(f"Training stopped at step {self._step:,}; the next run goes on there.")

    def _validation_due(self) -> bool:
        step = self._step
        if step in (0, self._validated_at):
            return False
        every = self._profile.training.validate_every
        phase_1_ends = step == self._schedule.phase_1_steps
        return step % every == 0 or phase_1_ends or self._is_checkpoint_step

    @property
    def _is_checkpoint_step(self) -> bool:
        step, every = self._step, self._profile.training.checkpoint_every
        return step > 0 and (step % every == 0 or step == self._schedule.total_steps)

    def _checkpoint_due(self) -> bool:
        there = {checkpoint.step for checkpoint in self.record.checkpoints}
        return self._is_checkpoint_step and self._step not in there

    def _validate(self) -> None:
        self._write_live("validating")
        self._model.rave.warmed_up = self._schedule.phase(self._step) == 2
        found = validate(
            self._model,
            self._windows,
            self._profile.training.batch_size,
            self._step,
            (*self._seed, VALIDATION, self._step),
            self._beat_in_validation,
        )
        self._validation = found
        self._add_row({"validation": found.distance, "active_latents": found.active_latents})
        self._model.write({"validation": found.distance}, self._step)
        limits = self._profile.watchdogs
        check_losses({"validation": found.distance}, self._step)
        if 4 * self._step >= self._schedule.decay_steps:
            check_latents(found.active_latents, limits)
        check_output(found.level_db, found.dc_share, limits)
        self._validated_at = self._step

    def _beat_in_validation(self) -> None:
        self._heartbeat.beat()
        if self._heartbeat.stop_requested:
            self._stop()  # the state is that of before the validation, which is then done anew

    def _save_checkpoint(self) -> None:
        path = self._folder.checkpoints / checkpoint_name(self._step)
        self._require_finite()
        check_disk(self._folder.path, self._profile.watchdogs)
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            # A file, not its name, which torch would write into the archive.
            torch.save({"state_dict": self._model.checkpoint(), "global_step": self._step}, file)
        checkpoint = Checkpoint(
            self._step, self._schedule.phase(self._step), path.name, sha256(path)
        )
        manifest = asdict(checkpoint) | {
            "training": self.record.id,
            "losses": self._losses,
            "validation": asdict(self._validation) if self._validation else None,
            "profile": self.record.profile,
            "schedule": asdict(self._schedule),
            "dataset": self.record.dataset["version"],
            "versions": self.record.versions,
            "written": now(),
        }
        write_json(path.with_suffix(".json"), manifest)
        self.record = self.record.with_checkpoint(checkpoint)
        self._save_state()
        self._report(f"{path.name} written")
        self._observe({"kind": "checkpoint", "sha256": checkpoint.sha256, **self._facts()})

    def _save_state(self) -> None:
        self._require_finite()
        check_disk(self._folder.path, self._profile.watchdogs)
        state = write_state(
            self._folder,
            lambda path: torch.save(self._model.state(), path),
            self._step,
            phase=self._schedule.phase(self._step),
            validated=self._validated_at == self._step,
            rollbacks=len(self.record.rollbacks),
            losses=self._losses,
        )
        self._saved, self._saved_at = time.monotonic(), self._step
        seconds = self._seconds_before + self._saved - self._begun
        fruitless = 0 if state.step > self.record.step else self.record.fruitless
        self.record = replace(
            self.record, step=self._step, seconds=round(seconds, 1), fruitless=fruitless
        )
        self._folder.write(self.record)

    def _require_finite(self) -> None:
        if not self._model.finite():
            raise WatchdogError(
                "non-finite losses or weights",
                f"a weight is not finite at step {self._step:,}",
            )

    def _say(self) -> None:
        """Renew the live file and report, per phase: their steps differ in length several times."""
        time_now = time.monotonic()
        first, total = self._schedule.phase_1_steps, self._schedule.total_steps
        phase = self._schedule.phase(self._step)
        begin, end = (0, first) if phase == 1 else (first, total)
        what = f"training, phase {phase} of 2"
        if self._progress is None or (self._progress.what, self._progress.total) != (
            what,
            end - begin,
        ):
            # The step that was just done took its time before the clock starts here.
            self._progress = Progress(what, end - begin, self._report, "steps", self._step - begin)
        if time_now - self._spoken > _LIVE_SECONDS:
            self._spoken = time_now
            self._gpu_now = read_gpu(self._gpu) if self._gpu else None
            self._write_live("training")
        gpu = f" · {self._gpu_now.line}" if self._gpu_now else ""
        self._progress.advance(self._step - begin, f"{self._progress.rate:.1f} steps/s{gpu}")
        if time_now - self._begun > self._next_observation:
            wait = min(self._next_observation, _LONGEST_OBSERVATION)
            self._next_observation = time_now - self._begun + wait
            self._observe({"kind": "progress", **self._facts()})

    def _facts(self) -> dict[str, Any]:
        """Return how far the training is, for the live file and for observations."""
        return {
            "step": self._step,
            "total_steps": self._schedule.total_steps,
            "phase": self._schedule.phase(self._step),
            "steps_per_second": self._progress.rate if self._progress else None,
            "seconds_left": self._seconds_left(),
            "losses": self._losses,
            "gpu": asdict(self._gpu_now) if self._gpu_now else None,
        }

    def _seconds_left(self) -> float | None:
        """Return the time to the end of the training, as far as both phases' speed is known."""
        schedule, step = self._schedule, self._step
        if self._progress is None or not self._progress.rate:
            return None
        if schedule.phase(step + 1) == 2:
            return (schedule.total_steps - step) / self._progress.rate
        if schedule.speed is None:
            return None
        adversarial = (schedule.total_steps - schedule.phase_1_steps) / schedule.speed.phase_2
        return (schedule.phase_1_steps - step) / self._progress.rate + adversarial

    def _write_live(self, doing: str) -> None:
        write_live(self._folder, Live(doing=doing, at=now(), **self._facts()))

    @property
    def _row_every(self) -> int:
        return max(1, self._schedule.total_steps // _ROWS)

    def _forget_undone(self, state: State | None) -> None:
        """Drop the losses of steps that will be done again, and checkpoints that were gone back on.

        Without a rollback the checkpoints stay: the same steps would make the same ones.
        """
        self.record = replace(self.record, step=self._step)
        if len(self.record.rollbacks) > (state.rollbacks if state else 0):
            for checkpoint in self.record.checkpoints:
                if checkpoint.step > self._step:
                    path = self._folder.checkpoint_path(checkpoint)
                    path.with_suffix(".json").unlink(missing_ok=True)
                    path.unlink(missing_ok=True)
            kept = tuple(c for c in self.record.checkpoints if c.step <= self._step)
            self.record = replace(self.record, checkpoints=kept)
        table = self._folder.losses
        if not table.exists():
            return
        with table.open(newline="") as file:
            rows = [r for r in csv.reader(file) if r[0] == "step" or _before(r, self._step)]
        with atomic_file(table) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    def _add_row(self, values: dict[str, float]) -> None:
        table = self._folder.losses
        columns = ["step", *LOSSES.values(), "validation", "active_latents"]
        new = not table.exists()
        with table.open("a", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerow({"step": self._step, **{k: f"{v:.6g}" for k, v in values.items()}})


def _before(row: list[str], step: int) -> bool:
    """Return whether a row is whole (a kill may cut it) and of a step before."""
    return len(row) > 8 and row[0].isdigit() and int(row[0]) <= step
