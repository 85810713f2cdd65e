"""When a training is going nowhere, and what is done then.

Each watchdog has one policy: ``roll back`` to the last state that passed its validation and go on
with half the learning rate and other random numbers, once; ``stop`` for good; ``restart`` the
trainer from its newest state; or ``warn``.
"""

import math
import shutil
from pathlib import Path
from typing import Literal

from morphene_core.profiles import Watchdogs

Policy = Literal["roll back", "stop", "restart", "warn"]

POLICIES: dict[str, Policy] = {
    "non-finite losses or weights": "roll back",
    "exploding gradients": "roll back",
    "no progress": "restart",
    "latent collapse": "stop",
    "silent output": "stop",
    "DC output": "stop",
    "disk nearly full": "stop",
    "discriminator": "warn",
}
"""What each watchdog does when it barks."""

ROLLBACK_FACTOR = 0.5
"""By which a rollback multiplies the learning rates."""


class WatchdogError(Exception):
    """A watchdog barks.

    Args:
        watchdog: its name, a key of `POLICIES`.
        text: what it saw, and what an operator can do.
    """

    def __init__(self, watchdog: str, text: str) -> None:
        super().__init__(f"{watchdog}: {text}")
        self.watchdog = watchdog

    @property
    def policy(self) -> Policy:
        """What is done about it."""
        return POLICIES[self.watchdog]


def check_losses(losses: dict[str, float], step: int) -> None:
    """Bark at a loss that is no finite number.

    Raises:
        WatchdogError: one is not.
    """
    for name, value in losses.items():
        if not math.isfinite(value):
            raise WatchdogError(
                "non-finite losses or weights", f"the loss {name} is {value} at step {step:,}"
            )


def check_gradients(norm: float, step: int, limits: Watchdogs) -> None:
    """Bark at gradients past the limit.

    Raises:
        WatchdogError: they are, or are no finite numbers.
    """
    if not norm <= limits.max_gradient_norm:
        raise WatchdogError(
            "exploding gradients",
            f"their norm is {norm:.3g} at step {step:,}, the limit {limits.max_gradient_norm:.3g}",
        )


def check_latents(active: int, limits: Watchdogs) -> None:
    """Bark at a latent space that says nothing.

    Raises:
        WatchdogError: too few dimensions carry anything of the held-out audio.
    """
    if active < limits.min_active_latents:
        raise WatchdogError(
            "latent collapse",
            f"{active} latents are active, {limits.min_active_latents} at least are wanted. Lower"
            " the regularization (BetaWarmupCallback.target_value) in a profile of your own",
        )


def check_output(level_db: float, dc_share: float, limits: Watchdogs) -> None:
    """Bark at a model that gives silence or a constant.

    Args:
        level_db: RMS of the output against the input.
        dc_share: constant part of the output's energy.
        limits: past which it barks.

    Raises:
        WatchdogError: it does.
    """
    advice = "Listen to the last checkpoint; train anew with a smaller learning rate"
    if level_db < limits.silent_below_db:
        raise WatchdogError(
            "silent output",
            f"held-out audio comes out {-level_db:.0f} dB below what goes in. {advice}",
        )
    if dc_share > limits.max_dc_share:
        raise WatchdogError("DC output", f"{dc_share:.0%} of the output is constant. {advice}")


def check_disk(folder: Path, limits: Watchdogs) -> None:
    """Bark when the disk is nearly full.

    Raises:
        WatchdogError: it is.
    """
    free = shutil.disk_usage(folder).free / 1e9
    if free < limits.min_free_gb:
        raise WatchdogError(
            "disk nearly full",
            f"{free:.1f} GB are free at {folder}, {limits.min_free_gb:g} GB are needed. Free some,"
            " then queue the training again: it goes on where it stopped",
        )


class DiscriminatorWatch:
    """Says when the discriminator wins or loses outright, once each time it begins to.

    Args:
        limits: mean loss per scale under which it wins and above which it loses.
    """

    _SMOOTHING = 0.1
    _LEAST = 200  # values before it is judged: it begins knowing nothing

    def __init__(self, limits: Watchdogs) -> None:
        self._limits = limits
        self._mean = math.nan
        self._seen = 0
        self.verdict = ""

    def see(self, loss_per_scale: float) -> str | None:
        """Take a loss; return a warning if the verdict has just changed for the worse."""
        self._seen += 1
        if math.isnan(self._mean):
            self._mean = loss_per_scale
        self._mean += self._SMOOTHING * (loss_per_scale - self._mean)
        before, self.verdict = self.verdict, self._judge()
        if not self.verdict or self.verdict == before:
            return None
        return (
            f"it {self.verdict} outright (mean loss {self._mean:.2f} per scale);"
            " compare the next checkpoints by ear with those before"
        )

    def _judge(self) -> str:
        if self._seen < self._LEAST:
            return ""
        if self._mean < self._limits.discriminator_wins:
            return "wins"
        return "loses" if self._mean > self._limits.discriminator_loses else ""
