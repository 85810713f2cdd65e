"""Training RAVE on a dataset: from the first checks to the last step, over all attempts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from morphene_core.errors import InputError, MorpheneError
from morphene_core.progress import Report, silent
from morphene_core.rave.batches import batches, validation_windows
from morphene_core.rave.configuration import configure
from morphene_core.rave.host import HostedModel
from morphene_core.rave.impossible import refuse_the_impossible
from morphene_core.rave.measure import measure_speed
from morphene_core.rave.seeding import MODEL, seed_everything
from morphene_core.rave.trainer import StoppedError, Trainer
from morphene_core.training import TrainingFolder, TrainingRecord, now, software_versions
from morphene_core.training.attempt import Observe
from morphene_core.training.heartbeat import Heartbeat
from morphene_core.training.live import Live, write_live
from morphene_core.training.requests import pending
from morphene_core.training.schedule import fitted
from morphene_core.training.states import go_back
from morphene_core.training.watchdogs import ROLLBACK_FACTOR, WatchdogError, check_disk


def train(
    folder: TrainingFolder,
    dataset: Path,
    heldout: list[Path],
    report: Report = silent,
    observe: Observe = lambda _: None,
    gpu: str | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> TrainingRecord:
    """Train to the end of the schedule, from the newest saved state if there is one.

    A SIGINT or SIGTERM saves the state after the running step and ends the training.

    Args:
        folder: of the training, with its record in it (profile and dataset); the caller holds its
            lock.
        dataset: RAVE dataset, as `morphene_core.rave.dataset.build_dataset` writes it.
        heldout: audio that is not in the dataset (mono, 48 kHz), for validation.
        report: takes progress.
        observe: takes checkpoints and progress as data.
        gpu: NVML's name (uuid) of the GPU that this process is confined to, or None.
        on_ready: called once nothing stands against the first step any more.

    Returns:
        The training's record; ``finished`` is set.

    Raises:
        InputError: it cannot work (no GPU, impossible profile, too little audio, a full disk), or
            a watchdog ended it for good.
        MorpheneError: it was stopped, or the GPU has no memory left; trying again may help.
    """
    record = folder.read()
    if record.finished and not pending(folder):
        return record
    record = _begin_attempt(folder, record)
    profile = record.training_profile

    def stalled(reason: str) -> None:
        folder.write(folder.read().with_warning("no progress", reason))
        report(f"Warning: {reason}")

    heartbeat = Heartbeat(60 * profile.watchdogs.stall_minutes, stalled)
    try:
        with heartbeat.watching():
            device = _device(profile.training.requires_gpu, profile.name)
            windows = validation_windows(heldout, profile)
            _make_ready(folder, record, dataset, windows, device, heartbeat, report)
            on_ready()

            def trainer() -> Trainer:
                return Trainer(
                    *(folder, folder.read(), dataset, windows, device),
                    *(gpu, heartbeat, report, observe),
                )

            record = _train_through_alarms(folder, trainer, report)
            while pending(folder):  # asked for while the last state was written
                record = _train_through_alarms(folder, trainer, report)
    except StoppedError as stopped:
        raise MorpheneError(str(stopped)) from None
    except WatchdogError as alarm:
        again = " It had been rolled back for it before." if alarm.policy == "roll back" else ""
        text = f"Training {record.id} was stopped: {alarm}.{again}"
        folder.write(folder.read().with_warning(alarm.watchdog, str(alarm)))
        _note_failure(folder, text)
        raise InputError(text) from alarm
    except Exception as error:
        text = _first_line(error)
        _note_failure(folder, text)
        if _is_gpus_fault(error):
            raise MorpheneError(f"The GPU failed under profile {profile.name}: {text}") from error
        raise
    record = replace(record, finished=now())
    folder.write(record)
    return record


def _begin_attempt(folder: TrainingFolder, record: TrainingRecord) -> TrainingRecord:
    limit = record.training_profile.watchdogs.max_fruitless
    if record.fruitless >= limit:
        raise InputError(
            f"Training {record.id}: {record.fruitless} attempts in a row brought no newer state."
            f" The last one: {record.failure or 'its process died'}"
        )
    record = replace(
        record,
        attempts=record.attempts + 1,
        fruitless=record.fruitless + 1,
        failure=None,
        versions=software_versions(),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    )
    folder.write(record)
    return record


def _make_ready(
    folder: TrainingFolder,
    record: TrainingRecord,
    dataset: Path,
    windows: torch.Tensor,
    device: torch.device,
    heartbeat: Heartbeat,
    report: Report,
) -> None:
    """Refuse what cannot work, and fix the schedule, before the first step of a training."""
    profile = record.training_profile
    if profile.training.threads:
        torch.set_num_threads(profile.training.threads)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    check_disk(folder.path, profile.watchdogs)
    decay = record.schedule.decay_steps if record.schedule else None
    configure(profile, decay)
    if not record.step:
        batches(dataset, profile, (), 0)
        seed_everything((profile.training.seed, MODEL))
        model = HostedModel(profile.training.learning_rate, device)
        refuse_the_impossible(profile, model)
        model.close()
    if record.schedule is None:
        report("measuring the speed of both phases, to fit the schedule to the budget")
        write_live(folder, Live("measuring", now()))

        def beat() -> None:
            heartbeat.beat()
            if heartbeat.stop_requested:
                raise StoppedError("Stopped while the speed was measured; nothing was trained yet.")

        speed = measure_speed(profile, dataset, windows, device, record.device, beat)
        schedule = fitted(profile.training, speed)
        folder.write(replace(record, schedule=schedule))
        report(
            f"{profile.training.hours:g} hours at {speed.phase_1:.2f} and {speed.phase_2:.2f}"
            f" steps/s are {schedule.phase_1_steps:,} steps of phase 1 and"
            f" {schedule.total_steps - schedule.phase_1_steps:,} adversarial ones"
        )
        configure(profile, schedule.decay_steps)


def _train_through_alarms(
    folder: TrainingFolder, trainer: Callable[[], Trainer], report: Report
) -> TrainingRecord:
    """Train to the end; go back once to each good state where a watchdog says so.

    Raises:
        WatchdogError: it stops the training for good.
    """
    while True:
        try:
            return trainer().run()
        except WatchdogError as alarm:
            record = folder.read()
            good = go_back(folder) if alarm.policy == "roll back" else None
            step = good.step if good else 0
            tried = any(rollback["to"] >= step for rollback in record.rollbacks)
            if alarm.policy != "roll back" or tried:
                raise
            rollback = {
                "watchdog": alarm.watchdog,
                "reason": str(alarm),
                "to": step,
                "change": f"learning rates x {ROLLBACK_FACTOR}, other random numbers",
                "at": now(),
            }
            folder.write(replace(record, rollbacks=(*record.rollbacks, rollback)))
            report(f"Warning: {alarm}. Going back to step {step:,} with {rollback['change']}.")


def _device(requires_gpu: bool, profile: str) -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if requires_gpu:
        raise InputError(
            f"Profile {profile} needs a GPU, and torch {torch.__version__} finds none here."
            " Install a CUDA build of torch, or use a profile made for the CPU (such as demo)."
        )
    return torch.device("cpu")


def _is_gpus_fault(error: Exception) -> bool:
    """Return whether CUDA failed, most often for want of memory: then trying again may help."""
    return isinstance(error, RuntimeError) and any(
        word in str(error) for word in ("CUDA", "cuDNN", "CUBLAS", "CUDNN")
    )


def _note_failure(folder: TrainingFolder, text: str) -> None:
    folder.write(replace(folder.read(), failure=text))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
