"""What RAVE's own training and validation step ask of Lightning, without Lightning's loop.

RAVE's module calls its trainer for the optimizers, for logging and for TensorBoard. Our loop owns
these, because it has to stop, save and go on at any step exactly, which Lightning's does not.
`tests/test_exact_resume.py` holds the result against Lightning's own trainer, bit for bit.
"""

import contextlib
import functools
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import rave
import rave.core
import rave.model
import torch
from pytorch_lightning.trainer.states import RunningStage
from torch.utils.tensorboard import SummaryWriter

from morphene_core.rave.configuration import build_model

Batch = torch.Tensor

# RAVE's names of its losses -> ours, in the order of the table.
LOSSES = {
    "multiband_spectral_distance": "multiband_spectral_distance",
    "fullband_spectral_distance": "fullband_spectral_distance",
    "regularization": "regularization",
    "feature_matching": "feature_matching",
    "adversarial": "adversarial",
    "loss_dis": "discriminator",
}


class HostedModel:
    """RAVE with its optimizers and its learning-rate schedule, step by step.

    Args:
        learning_rate: of the generator at the start; RAVE's code fixes 1e-3.
        device: where it is trained.
        tensorboard: folder of event files, or None for none.
        first_step: event files of later steps are purged: they will be written again.
    """

    def __init__(
        self,
        learning_rate: float,
        device: torch.device,
        tensorboard: Path | None = None,
        first_step: int = 0,
    ) -> None:
        self.rave: rave.RAVE = build_model().to(device)
        self.device = device
        (generator, discriminator) = self.rave.configure_optimizers()
        self.optimizers = [generator["optimizer"], discriminator["optimizer"]]
        self.scheduler = generator["lr_scheduler"]["scheduler"]
        for group in self.optimizers[0].param_groups:
            group["lr"] = learning_rate
        self._beta = rave.model.BetaWarmupCallback()
        self.logged: dict[str, Any] = {}
        self.writer = (
            SummaryWriter(str(tensorboard), purge_step=first_step + 1) if tensorboard else None
        )
        self._stand_in = _TrainerStandIn(self.writer or _NoWriter())
        self.rave.trainer = self._stand_in  # it keeps a weak reference only
        self.rave.optimizers = lambda: self.optimizers
        self.rave.log = self._log
        self.rave.log_dict = self._log_all

    def _log(self, name: str, value: Any) -> None:
        # Detached, or it would hold the graph of a loss that nobody went back through.
        self.logged[name] = value.detach() if isinstance(value, torch.Tensor) else value

    def _log_all(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            self._log(name, value)

    def step(self, batch: Batch, step: int, adversarial: bool) -> None:
        """Train one batch, (batch, 1, samples): RAVE's training step and what belongs to it.

        Args:
            batch: audio.
            step: batches that were trained before, which says whose turn it is in phase 2.
            adversarial: whether it belongs to phase 2.
        """
        self.rave.train()
        self.rave.warmed_up = adversarial
        self._beta.state["training_steps"] = step
        self._beta.on_train_batch_start(None, self.rave, None, step)
        self.logged.clear()
        self.rave.training_step(batch.to(self.device, non_blocking=True), step)
        self.scheduler.step()

    def find_receptive_field(self) -> tuple[int, int]:
        """Return how many samples before and after one decide it, measured as RAVE measures it.

        RAVE crops its multiband signals to what lies inside, from the first step on.
        """
        with contextlib.redirect_stdout(io.StringIO()):
            left, right = rave.core.get_rave_receptive_field(self.rave)
        self.rave.receptive_field.copy_(torch.tensor([left, right]))
        return left, right

    @property
    def discriminates_every(self) -> int:
        """In phase 2 one batch in this many trains the discriminator."""
        return int(self.rave.update_discriminator_every)

    @functools.cached_property
    def discriminator_scales(self) -> int:
        """How many judgements RAVE's discriminator loss is the sum of."""
        with torch.no_grad():
            return len(self.rave.discriminator(torch.zeros(1, 1, 2**14, device=self.device)))

    def losses(self) -> dict[str, float]:
        """Return the losses of the last batch, by our names."""
        return {ours: float(self.logged[its]) for its, ours in LOSSES.items() if its in self.logged}

    def gradient_norm(self) -> float:
        """Return the largest gradient norm of generator and discriminator, as it was left."""
        norms = []
        for optimizer in self.optimizers:
            gradients = [
                parameter.grad
                for group in optimizer.param_groups
                for parameter in group["params"]
                if parameter.grad is not None
            ]
            if gradients:
                norms.append(torch.stack(torch._foreach_norm(gradients)).norm())
        return float(torch.stack(norms).max()) if norms else 0.0

    def finite(self) -> bool:
        """Return whether every weight and buffer is a finite number."""
        tensors = [t for t in self.rave.state_dict().values() if t.is_floating_point()]
        return bool(torch.stack([torch.isfinite(t).all() for t in tensors]).all())

    def write(self, losses: dict[str, float], step: int) -> None:
        """Add losses to TensorBoard's event file, with the learning rate."""
        if self.writer:
            for name, value in losses.items():
                self.writer.add_scalar(name, value, step)
            rate = self.optimizers[0].param_groups[0]["lr"]
            self.writer.add_scalar("learning_rate", rate, step)

    def state(self) -> dict[str, Any]:
        """Return everything that makes the next step what it is, but for the step's number.

        What is random in a step follows from its number (`morphene_core.rave.seeding`), and so do
        the phase, the beta warm-up and the order of the data.
        """
        return {
            "state_dict": self.rave.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scheduler": self.scheduler.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go back to a state."""
        self.rave.load_state_dict(state["state_dict"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.scheduler.load_state_dict(state["scheduler"])

    def scale_learning_rate(self, factor: float) -> None:
        """Multiply the learning rates of both optimizers."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] *= factor

    def checkpoint(self) -> dict[str, torch.Tensor]:
        """Return the part of the weights that is an instrument: all but the discriminator."""
        return {
            name: value.detach().cpu()
            for name, value in self.rave.state_dict().items()
            if not name.startswith("discriminator.")
        }

    def close(self) -> None:
        """Close the event file."""
        if self.writer:
            self.writer.close()


class _TrainerStandIn:
    """What RAVE's validation looks at of Lightning's trainer."""

    def __init__(self, writer: Any) -> None:
        self.state = SimpleNamespace(stage=RunningStage.VALIDATING)
        self.logger = SimpleNamespace(experiment=writer)


class _NoWriter:
    def add_audio(self, *_: Any) -> None:
        """Drop it."""
