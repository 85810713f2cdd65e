"""Training profiles: how an instrument is trained, as data.

A profile is a TOML file. Two come with Morphene (``production``, ``demo``); a user's own lie in the
project folder under ``profiles/``, under names of their own.
"""

import math
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
        phase_1_steps: length of the representation-learning phase; the learning rate decays
            over it, so it cannot change once a training has begun.
        total_steps: phase 1 and the adversarial phase together.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations; the latent PCA is computed there.
        learning_rate: of the generator at the start; 1e-3 is RAVE's own.
        seed: of the weights, the noise and the order of the data.
        workers: data-loading processes; 0 loads in the training process.
        threads: CPU threads of torch; None leaves the choice to torch.
        requires_gpu: whether the training makes no sense on a CPU.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: Count
    n_signal: Count
    phase_1_steps: Count
    total_steps: Count
    checkpoint_every: Count
    validate_every: Count
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    seed: int = 0
    workers: Annotated[int, Field(ge=0)] = 0
    threads: Count | None = None
    requires_gpu: bool = False

    @model_validator(mode="after")
    def _check_schedule(self) -> "Training":
        if self.phase_1_steps >= self.total_steps:
            raise ValueError("phase_1_steps must be less than total_steps")
        if self.phase_1_steps % self.validate_every:
            # RAVE computes the latent PCA at validations inside phase 1 only; the last of them has
            # to fall on its end, or later checkpoints carry the PCA of an earlier encoder.
            raise ValueError("phase_1_steps must be a multiple of validate_every")
        if self.n_signal % LARGEST_RATIO:
            raise ValueError(
                f"n_signal must be a multiple of {LARGEST_RATIO}, RAVE's largest block"
            )
        return self


class Profile(BaseModel):
    """A named way to train an instrument.

    Attributes:
        name: the file's name without its suffix.
        description: one line for a person.
        shippable: whether what it makes may be called an instrument.
        base_config: RAVE configuration that it starts from.
        latent_size: dimensions of the latent space.
        exported_latents: latents that the exported model shows, the same for every instrument.
        bindings: gin bindings on top, as ``rave train --override`` takes them.
        source_hours: audio that each source has to have, after preparation.
        reference_seconds: length of the audit's reference excerpt of each source.
        training: schedule and data loading.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str
    shippable: bool
    base_config: str = "v2"
    latent_size: Count
    exported_latents: Count
    bindings: tuple[str, ...] = ()
    source_hours: Annotated[float, Field(ge=0)] = 0.0
    reference_seconds: Annotated[float, Field(gt=0)] = 10.0
    training: Training

    @model_validator(mode="after")
    def _check_latents(self) -> "Profile":
        if self.exported_latents > self.latent_size:
            raise ValueError("exported_latents must not exceed latent_size")
        return self

    @property
    def checkpoint_steps(self) -> list[int]:
        """Steps at which checkpoints are written; the last one is the end of the training."""
        every, total = self.training.checkpoint_every, self.training.total_steps
        return [min(n * every, total) for n in range(1, math.ceil(total / every) + 1)]

    @property
    def version(self) -> str:
        """Hash of everything in the profile that makes a difference to a training."""
        return combined_hash([self.model_dump_json(exclude={"description", "source_hours"})])


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
