"""How fast both phases train on the very device, before the schedule is fitted to a budget."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from morphene_core.profiles import Profile
from morphene_core.rave.batches import batches
from morphene_core.rave.host import HostedModel
from morphene_core.rave.seeding import VALIDATION
from morphene_core.rave.validate import validate
from morphene_core.training.schedule import Speed

_WARM_UP = 8  # steps: the first ones allocate memory and choose kernels
_LEAST_STEPS, _MOST_STEPS, _SECONDS = 16, 96, 30.0
_WINDOWS = 4  # batches of held-out audio


def measure_speed(
    profile: Profile,
    dataset: Path,
    windows: torch.Tensor,
    device: torch.device,
    name: str,
    beat: Callable[[], None],
) -> Speed:
    """Train a model that is thrown away, a little of each phase, with the real data, and time it.

    Args:
        profile: whose budget is to be fitted.
        dataset: RAVE dataset.
        windows: held-out audio, (n, 1, samples).
        device: where to train.
        name: of the device.
        beat: called after each step; may raise to end it.
    """
    settings = profile.training
    model = HostedModel(settings.learning_rate, device)
    model.find_receptive_field()
    data = batches(dataset, profile, (settings.seed,), 0)
    rates = [_rate(model, data, adversarial, beat) for adversarial in (False, True)]
    some = windows[: _WINDOWS * settings.batch_size]
    model.rave.warmed_up = True  # the latent PCA of so few windows is none
    begin = _clock(device)
    validate(model, some, settings.batch_size, 0, (settings.seed, VALIDATION), beat)
    spent = (_clock(device) - begin) * len(windows) / len(some)
    return Speed(name, rates[0], rates[1], spent)


def _rate(
    model: HostedModel,
    data: Iterator[torch.Tensor],
    adversarial: bool,
    beat: Callable[[], None],
) -> float:
    """Return steps per second; in phase 2 over whole turns of generator and discriminator."""
    turn = model.discriminates_every
    for step in range(_WARM_UP):
        model.step(next(data), step, adversarial)
        beat()
    begin, steps = _clock(model.device), 0
    while True:
        for _ in range(turn):
            model.step(next(data), steps, adversarial)
            steps += 1
            beat()
        spent = _clock(model.device) - begin
        if steps >= _LEAST_STEPS and (spent > _SECONDS or steps >= _MOST_STEPS):
            return steps / spent


def _clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
