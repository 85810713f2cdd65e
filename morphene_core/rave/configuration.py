"""RAVE's configuration (gin) from a profile, and the model that it describes."""

import logging
import warnings
from pathlib import Path

import cached_conv
import gin
import rave
import rave.dataset  # registers what the configuration files refer to
import torch

from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.errors import InputError
from morphene_core.files import write_text
from morphene_core.profiles import Profile


def configure(profile: Profile, phase_1_steps: int | None = None) -> None:
    """Load a profile's configuration into gin, in place of whatever was there.

    Args:
        profile: the profile.
        phase_1_steps: length of phase 1, over which RAVE's learning rate decays; None where nothing
            is trained yet.

    Raises:
        InputError: RAVE has no such base configuration, or a binding is none of RAVE's.
    """
    quiet_libraries()
    base = rave.BASE_PATH / "configs" / f"{profile.base_config}.gin"
    if not base.exists():
        raise InputError(f"Profile {profile.name}: RAVE has no configuration {base.stem!r}.")
    bindings = [
        f"SAMPLING_RATE = {SAMPLE_RATE}",
        f"LATENT_SIZE = {profile.latent_size}",
        *([f"PHASE_1_DURATION = {phase_1_steps}"] if phase_1_steps else []),
        *profile.bindings,
    ]
    gin.clear_config()
    cached_conv.use_cached_conv(False)
    # Not recorded by stock RAVE, whose export then has to guess it.
    gin.bind_parameter("RAVE.n_channels", 1)
    gin.bind_parameter("dataset.get_dataset.augmentations", [])
    try:
        # The absolute path: gin would look for v2.gin in the working directory first.
        gin.parse_config_files_and_bindings([str(base)], bindings)
    except (ValueError, SyntaxError) as error:
        raise InputError(f"Profile {profile.name}: a binding is wrong: {error}") from error


def build_model() -> rave.RAVE:
    """Return a new RAVE as configured."""
    return rave.RAVE(n_channels=1)


class ModelOfConfig:
    """A network as a config.gin describes it, in evaluation mode, on the CPU.

    Args:
        config: the config.gin, of ours or of stock RAVE's.
        streaming: whether convolutions keep their past, to be played block by block.

    Raises:
        InputError: the config.gin cannot be read, or describes no RAVE.
    """

    def __init__(self, config: Path, streaming: bool = False) -> None:
        quiet_libraries()
        self._config = config
        gin.clear_config()
        try:
            gin.parse_config_file(str(config))
            cached_conv.use_cached_conv(streaming)
            self._model = build_model().eval()
        except Exception as error:  # whatever gin and RAVE's constructors make of a wrong value
            raise InputError(
                f"{config} describes no RAVE model: {str(error).splitlines()[0]}"
            ) from error
        self.phase_1_steps = int(self._model.warmup)

    def load(self, checkpoint: Path) -> rave.RAVE:
        """Return the network with a checkpoint's weights; it is the same object each time.

        Args:
            checkpoint: a .pt of ours or a .ckpt of stock RAVE's.

        Raises:
            InputError: the checkpoint is missing, damaged, or of another architecture.
        """
        if not checkpoint.exists():
            raise InputError(f"{checkpoint} does not exist.")
        try:
            state = torch.load(checkpoint, "cpu", weights_only=True, mmap=True)["state_dict"]
            missing, unexpected = self._model.load_state_dict(state, strict=False)
        except Exception as error:  # torch raises some ten kinds of errors on a broken file
            raise InputError(
                f"{checkpoint} is no checkpoint of this configuration: {reason_of(error)}"
            ) from error
        lacking = [key for key in missing if key.startswith(("encoder.", "decoder.", "latent_"))]
        if lacking or unexpected:
            names = ", ".join((lacking + unexpected)[:3])
            raise InputError(f"{checkpoint} does not fit {self._config}: {names} ...")
        return self._model


def reason_of(error: Exception) -> str:
    """Return what torch says of a file that it cannot load, or what is not in it, in one line."""
    if isinstance(error, KeyError):
        return f"it holds no {error.args[0]}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # The first line of a mismatch announces the list that follows.
    told = lines[1] if len(lines) > 1 and lines[0].endswith(":") else (lines or ["unreadable"])[0]
    return "it is no file that torch has written" if "mmap can only" in told else told


def load_model(checkpoint: Path, streaming: bool = False) -> rave.RAVE:
    """Return the model of a checkpoint, in evaluation mode, on the CPU.

    Args:
        checkpoint: a .pt of ours or a .ckpt of stock RAVE's; `config_of` finds its config.gin.
        streaming: whether convolutions keep their past, to be played block by block.

    Raises:
        InputError: the checkpoint or its config.gin is missing or cannot be read.
    """
    return ModelOfConfig(config_of(checkpoint), streaming).load(checkpoint)


def config_of(checkpoint: Path) -> Path:
    """Return the config.gin of a checkpoint: beside it, or up to two folders above.

    Raises:
        InputError: the checkpoint or its config.gin is missing.
    """
    if not checkpoint.exists():
        raise InputError(f"{checkpoint} is missing.")
    for folder in list(checkpoint.absolute().parents)[:3]:
        if (folder / "config.gin").exists():
            return folder / "config.gin"
    raise InputError(
        f"config.gin is missing beside {checkpoint} and up to two folders above: the checkpoint"
        " cannot be loaded without it. Copy it there from the run's folder."
    )


def write_config(folder: Path) -> None:
    """Write the configuration in use as ``config.gin``, where stock RAVE looks for it."""
    write_text(folder / "config.gin", gin.operative_config_str())


def quiet_libraries() -> None:
    """Silence what RAVE's dependencies say at every start and nobody can act on."""
    for module in ("lightning_fabric", "pytorch_lightning", "torch", "rave", "scripts"):
        warnings.filterwarnings("ignore", module=module)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    logging.getLogger().addFilter(_matters)


def _matters(record: logging.LogRecord) -> bool:
    # gin looks for included files in several places and calls each miss an error.
    return "Path not found" not in record.getMessage()
