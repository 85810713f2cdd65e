"""Training profiles: how an instrument is trained, as data.

A profile is a TOML file. Two come with Morphene (``production``, ``demo``); a user's own lie in the
project folder under ``profiles/``, under names of their own.
"""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from morphene_core.errors import InputError
from morphene_core.files import combined_hash

LARGEST_RATIO = 2048
"""Samples of audio per latent frame in RAVE v2: 16 bands times the ratios 4, 4, 4, 2."""

_BUILT_IN = Path(__file__).parent

Count = Annotated[int, Field(gt=0)]


class Training(BaseModel):
    """How the model is trained. A step is one training batch (RAVE's ``global_step``).

    Attributes:
        batch_size: examples per batch.
        n_signal: samples per example.
        hours: budget of the whole training. The steps of both phases are fitted to it from their
            measured speed on the very device, once, when the training begins.
        phase_1_share: part of the hours that phase 1 gets.
        phase_1_steps: length of the representation-learning phase, in place of ``hours``.
        total_steps: phase 1 and the adversarial phase together, in place of ``hours``.
        finish_share: part of the planned adversarial steps that a training which an operator
            finishes early is still given.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations; the latent PCA is computed there. Every
            checkpoint and the end of phase 1 is validated, too.
        state_minutes: wall time between full states; a killed training loses at most this.
        learning_rate: of the generator at the start; 1e-3 is RAVE's own.
        seed: of the weights, the noise and the order of the data.
        workers: data-loading processes; 0 loads in the training process.
        threads: CPU threads of torch; None leaves the choice to torch.
        requires_gpu: whether the training makes no sense on a CPU.
        gpu_memory_gb: free memory that a GPU must have for it, in GB (1e9 bytes).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: Count
    n_signal: Count
    hours: Annotated[float, Field(gt=0)] | None = None
    phase_1_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    phase_1_steps: Count | None = None
    total_steps: Count | None = None
    finish_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    checkpoint_every: Count
    validate_every: Count
    state_minutes: Annotated[float, Field(ge=0)] = 5.0
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    seed: int = 0
    workers: Annotated[int, Field(ge=0)] = 0
    threads: Count | None = None
    requires_gpu: bool = False
    gpu_memory_gb: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _check_schedule(self) -> "Training":
        named = [steps is not None for steps in (self.phase_1_steps, self.total_steps)]
        if (self.hours is None) != all(named) or (self.hours is not None and any(named)):
            raise ValueError("give either hours, or phase_1_steps and total_steps")
        if self.phase_1_steps and self.total_steps and self.phase_1_steps >= self.total_steps:
            raise ValueError("phase_1_steps must be less than total_steps")
        if self.n_signal % LARGEST_RATIO:
            raise ValueError(
                f"n_signal must be a multiple of {LARGEST_RATIO}, RAVE's largest block"
            )
        return self


class Watchdogs(BaseModel):
    """Limits past which a training is going nowhere. See docs/training.md for what each one does.

    Attributes:
        stall_minutes: longest time without a finished step or validation batch.
        max_gradient_norm: largest norm of the gradients of the generator or the discriminator.
        min_active_latents: fewest latents with a variance of their mean above 0.01 (active units,
            Burda et al. 2016, arXiv:1509.00519) over the held-out audio, once a quarter of phase 1
            is over.
        silent_below_db: level of the output against the held-out input under which it is silent.
        max_dc_share: largest part of the output's energy that may be constant.
        min_free_gb: disk space under which nothing more is written, in GB (1e9 bytes).
        discriminator_wins: mean loss per scale of the discriminator under which it wins outright
            (a hinge loss: 0 is a perfect judge).
        discriminator_loses: above which it loses outright (2 is no judgement at all).
        max_fruitless: attempts in a row without a newer state after which nothing is tried again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stall_minutes: Annotated[float, Field(gt=0)] = 20.0
    max_gradient_norm: Annotated[float, Field(gt=0)] = 1e6
    min_active_latents: Annotated[int, Field(ge=0)] = 2
    silent_below_db: float = -60.0
    max_dc_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    min_free_gb: Annotated[float, Field(ge=0)] = 1.0
    discriminator_wins: float = 0.05
    discriminator_loses: float = 1.98
    max_fruitless: Count = 5


class Profile(BaseModel):
    """A named way to train an instrument.

    Attributes:
        name: the file's name without its suffix.
        description: one line for a person.
        shippable: whether what it makes may be called an instrument.
        base_config: RAVE configuration that it starts from.
        latent_size: dimensions of the latent space.
        approval_required: whether a delivery takes a person's approval.
        exported_latents: latents that the exported model shows, the same for every instrument.
        bindings: gin bindings on top, as ``rave train --override`` takes them.
        source_hours: audio that each source has to have, after preparation.
        reference_seconds: length of the audit's reference excerpt of each source.
        training: schedule and data loading.
        watchdogs: limits past which a training is stopped or goes back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    shippable: bool
    base_config: str = "v2"
    latent_size: Count
    exported_latents: Count
    approval_required: bool = True
    bindings: tuple[str, ...] = ()
    source_hours: Annotated[float, Field(ge=0)] = 0.0
    reference_seconds: Annotated[float, Field(gt=0)] = 10.0
    training: Training
    watchdogs: Watchdogs = Watchdogs()

    @model_validator(mode="after")
    def _check_latents(self) -> "Profile":
        if self.exported_latents > self.latent_size:
            raise ValueError("exported_latents must not exceed latent_size")
        return self

    @model_validator(mode="after")
    def _check_approval(self) -> "Profile":
        if self.shippable and not self.approval_required:
            raise ValueError("what is shippable takes approval: approval_required = true")
        return self

    @property
    def version(self) -> str:
        """Hash of everything in the profile that makes a difference to a training."""
        other = {"description", "source_hours", "watchdogs", "approval_required"}
        return combined_hash([self.model_dump_json(exclude=other)])


def profile_names(own: Path) -> list[str]:
    """Return the names of all profiles: Morphene's, then those in the folder ``own``."""
    return [path.stem for folder in (_BUILT_IN, own) for path in sorted(folder.glob("*.toml"))]


def load_profile(name: str, own: Path) -> Profile:
    """Return a profile by its name.

    Args:
        name: of a profile that comes with Morphene or lies in ``own``.
        own: folder of the user's profiles; it need not exist.

    Raises:
        InputError: no profile of that name, or an invalid one (file and field are named).
    """
    built_in, users = _BUILT_IN / f"{name}.toml", own / f"{name}.toml"
    if built_in.exists() and users.exists():
        raise InputError(
            f"{users}: the name {name!r} belongs to a profile of Morphene's. Rename the file."
        )
    path = built_in if built_in.exists() else users
    if not path.exists():
        known = ", ".join(profile_names(own))
        raise InputError(f"There is no profile {name!r}. There are: {known}; or write {users}.")
    try:
        return Profile(name=name, **tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "profile"
        raise InputError(f"{path}: {field}: {first['msg']}.") from error
