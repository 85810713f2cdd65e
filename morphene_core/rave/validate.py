"""Validation on held-out audio: RAVE's own, and what the watchdogs want to know."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from morphene_core.rave.host import HostedModel
from morphene_core.rave.seeding import Key, seed_everything

_ACTIVE_VARIANCE = 0.01
_KEPT = 8  # windows whose audio RAVE puts into TensorBoard


@dataclass(frozen=True)
class Validation:
    """What a validation found.

    Attributes:
        distance: multi-resolution spectral distance to the held-out audio, RAVE's ``validation``.
        active_latents: dimensions whose posterior mean has a variance above 0.01 over the held-out
            audio (active units, Burda et al. 2016, arXiv:1509.00519).
        level_db: RMS of all that comes out against all that went in.
        dc_share: part of the output's energy that is constant, of the window where it is least.
    """

    distance: float
    active_latents: int
    level_db: float
    dc_share: float


def active_latents(means: torch.Tensor) -> int:
    """Return how many latents carry something, of their posterior means (latents, frames)."""
    return int((means.var(1) > _ACTIVE_VARIANCE).sum())


@torch.no_grad()
def validate(
    model: HostedModel,
    windows: torch.Tensor,
    batch_size: int,
    step: int,
    seed: Key,
    beat: Callable[[], None],
) -> Validation:
    """Validate the model; in phase 1 RAVE computes its latent PCA and fidelity here.

    Args:
        model: RAVE, as it is trained.
        windows: held-out audio, (n, 1, samples).
        batch_size: windows at once.
        step: batches trained.
        seed: of the noise that RAVE draws.
        beat: called between batches; may raise to end the validation without a result.
    """
    module = model.rave
    module.eval()
    module.eval_number = step
    seed_everything(seed)
    outputs, distances, energies, shares = [], [], [], []
    for number, x in enumerate(torch.split(windows, batch_size)):
        beat()
        x = x.to(model.device)
        audio, mean = module.validation_step(x, number)
        given, heard = audio.chunk(2, -1)
        distances.append(float(model.logged["validation"]) * len(x))
        energies.append(torch.stack([given.square().sum(), heard.square().sum()]).double())
        shares.append(heard.mean(-1).square() / heard.square().mean(-1).clamp_min(1e-20))
        outputs.append((audio if number * batch_size < _KEPT else audio[:0], mean))
    module.validation_epoch_end(outputs)
    means = torch.cat([mean for _, mean in outputs]).transpose(0, 1).flatten(1)
    given, heard = torch.stack(energies).sum(0).tolist()
    return Validation(
        distance=sum(distances) / len(windows),
        active_latents=active_latents(means),
        level_db=10 * float(torch.log10(torch.tensor(max(heard, 1e-30) / max(given, 1e-30)))),
        dc_share=float(torch.cat(shares).min()),
    )
