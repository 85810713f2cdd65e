"""Training RAVE on a dataset, with checkpoints, from wherever it stopped."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import rave
import rave.dataset
import rave.model
import soundfile
import torch
from torch.utils.data import DataLoader, RandomSampler

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.errors import InputError
from morphene_core.profiles import LARGEST_RATIO, Profile
from morphene_core.progress import Report, silent
from morphene_core.rave.configuration import build_model, configure, write_config
from morphene_core.rave.monitor import TrainingMonitor
from morphene_core.training import TrainingFolder, TrainingRecord, now, software_versions


def train(
    folder: TrainingFolder, dataset: Path, heldout: list[Path], report: Report = silent
) -> TrainingRecord:
    """Train until the profile's last step, from the newest saved state if there is one.

    A SIGINT or SIGTERM saves the state after the running step and ends the training.

    Args:
        folder: of the training, with its record in it (profile and dataset).
        dataset: RAVE dataset, as `morphene_core.rave.dataset.build_dataset` writes it.
        heldout: audio that is not in the dataset (mono, 48 kHz), for validation.
        report: takes progress.

    Returns:
        The training's record; ``finished`` is set.

    Raises:
        InputError: the profile cannot work (no GPU, too little held-out audio, wrong bindings).
        MorpheneError: the training was stopped, or a loss is no finite number.
    """
    record = folder.read()
    if record.finished:
        return record
    profile = record.training_profile
    device = _device(profile)
    if profile.training.threads:
        torch.set_num_threads(profile.training.threads)
    configure(profile)
    validation = _validation_audio(heldout, profile)
    start = _state_step(folder)
    pl.seed_everything(profile.training.seed + start, workers=True)
    model = build_model()
    record = replace(
        record, attempts=record.attempts + 1, device=device, versions=software_versions()
    )
    folder.write(record)
    monitor = TrainingMonitor(folder, record, report)
    trainer = _trainer(folder, profile, monitor)
    write_config(folder.checkpoints)  # once everything is made that gin configures
    train_loader, validation_loader = _loaders(dataset, validation, profile, start)
    if start:
        report(f"resuming from step {start:,}")
        # Lightning counts the steps of a manually optimized model here and does not restore it.
        trainer.fit_loop.epoch_loop._batches_that_stepped = start
    with _stopped_by_signals(monitor.stop):
        trainer.fit(
            model,
            train_loader,
            validation_loader,
            ckpt_path=str(folder.state) if start else None,
        )
    record = replace(monitor.record, finished=now())
    folder.write(record)
    return record


def _device(profile: Profile) -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if profile.training.requires_gpu:
        raise InputError(
            f"Profile {profile.name} needs a GPU, and torch finds none here."
            " Train on a machine with one, or use a profile made for the CPU (such as demo)."
        )
    return "cpu"


def _validation_audio(files: list[Path], profile: Profile) -> torch.Tensor:
    """Cut held-out audio into windows of shape (n, 1, n_signal); windows do not span files."""
    length, windows = profile.training.n_signal, []
    for file in files:
        audio, _ = soundfile.read(file, dtype="float32")
        count = len(audio) // length
        windows.append(audio[: count * length].reshape(count, 1, length))
    validation = np.concatenate(windows) if windows else np.empty((0, 1, length), np.float32)
    frames = validation.size // LARGEST_RATIO
    if frames < profile.latent_size:
        # RAVE fits its latent PCA to these frames, and cannot with fewer than dimensions.
        raise InputError(
            f"The held-out audio gives {frames} latent frames; profile {profile.name} needs at"
            f" least {profile.latent_size}, in windows of {length / SAMPLE_RATE:.1f} s."
            " Add recordings."
        )
    return torch.from_numpy(validation)


def _loaders(
    dataset: Path, validation: torch.Tensor, profile: Profile, start: int
) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Return the loaders for training and validation.

    RAVE alternates generator and discriminator by the batch's number in its epoch, which starts
    anew each epoch, and workers are forked anew too. One epoch therefore is the whole training,
    drawn with replacement.
    """
    settings = profile.training
    examples = rave.dataset.get_dataset(str(dataset), SAMPLE_RATE, settings.n_signal, n_channels=1)
    sampler = RandomSampler(
        examples,
        replacement=True,
        num_samples=settings.total_steps * settings.batch_size,
        generator=torch.Generator().manual_seed(settings.seed + start),
    )
    return (
        DataLoader(
            examples,
            settings.batch_size,
            sampler=sampler,
            drop_last=True,
            num_workers=settings.workers,
            pin_memory=torch.cuda.is_available(),
        ),
        DataLoader(validation, settings.batch_size),  # type: ignore[arg-type]
    )


def _trainer(folder: TrainingFolder, profile: Profile, monitor: TrainingMonitor) -> pl.Trainer:
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    return pl.Trainer(
        logger=pl.loggers.TensorBoardLogger(str(folder.path), name="tensorboard", version=""),
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        # First the monitor: what it saves at a batch's start must not count that batch yet.
        callbacks=[
            monitor,
            rave.model.WarmupCallback(),
            rave.model.QuantizeCallback(),
            rave.model.BetaWarmupCallback(),
        ],
        max_epochs=-1,
        max_steps=profile.training.total_steps,
        val_check_interval=profile.training.validate_every,
        check_val_every_n_epoch=None,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _state_step(folder: TrainingFolder) -> int:
    """Return the step of the saved state, 0 without one."""
    if not folder.state.exists():
        return 0
    state = torch.load(folder.state, map_location="cpu", weights_only=False, mmap=True)
    return int(state["global_step"])


@contextmanager
def _stopped_by_signals(stop: Any) -> Iterator[None]:
    """Call ``stop`` on SIGINT (a cancel from Dagster) and SIGTERM instead of dying at once."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop()) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
