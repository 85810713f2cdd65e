"""Models as audits take them: checkpoints of ours and of stock RAVE's, and exported .ts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rave
import soxr
import torch
from numpy.typing import NDArray

from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.audits.model import AuditedModel, Latents
from morphene_core.errors import InputError
from morphene_core.rave.configuration import ModelOfConfig, config_of, quiet_libraries, reason_of
from morphene_core.realtime.model import LoadedModel

_SEED = 0
_TOGETHER = 3  # renders decoded in one batch: deep layers are bound by reading their weights
_TEST_SAMPLES = 2**16


class CheckpointModels:
    """Opens the checkpoints of a training one after the other, in one network.

    Building a network takes longer than filling it with other weights, and its memory is the same
    for all.
    """

    def __init__(self) -> None:
        self._config: Path | None = None
        self._network: ModelOfConfig | None = None

    def open(self, path: Path) -> AuditedModel:
        """Return the model of a file; the one that was opened before is void then.

        Args:
            path: a .pt of ours or a .ckpt of stock RAVE's with config.gin beside it or up to two
                folders above, or a .ts.

        Raises:
            InputError: the file is missing, damaged, or of another architecture.
        """
        if path.suffix == ".ts":
            return ScriptedModel(path)
        return CheckpointModel(self._network_of(path).load(path))

    def facts(self, path: Path) -> tuple[int, int]:
        """Return a checkpoint's step (training batches) and phase (1 or 2).

        Raises:
            InputError: the file is missing, damaged, or no checkpoint.
        """
        phase_1_steps = self._network_of(path).phase_1_steps
        try:
            step = int(torch.load(path, "cpu", weights_only=True, mmap=True)["global_step"])
        except Exception as error:  # torch raises some ten kinds of errors on a broken file
            raise InputError(f"{path} is no checkpoint: {reason_of(error)}") from error
        return step, 2 if step > phase_1_steps else 1

    def _network_of(self, path: Path) -> ModelOfConfig:
        config = config_of(path)
        if self._network is None or self._config != config:
            self._config, self._network = config, ModelOfConfig(config)
        return self._network


class CheckpointModel:
    """A RAVE of a checkpoint, see `AuditedModel`.

    The latents are the posterior's means: without noise. What a decoder with a noise synthesizer
    draws is drawn from the same seed each time.
    """

    streams = False

    def __init__(self, model: rave.RAVE) -> None:
        self._model = model
        self._rate = int(model.sr)
        self._variational = isinstance(model.encoder, rave.blocks.VariationalEncoder)
        noisy = any(type(m).__name__.startswith("NoiseGenerator") for m in model.modules())
        self._together = 1 if noisy else _TOGETHER
        with torch.inference_mode():
            frames = model.encode(torch.zeros(1, 1, _TEST_SAMPLES)).shape[-1]
        self.ratio = round(_TEST_SAMPLES / frames * SAMPLE_RATE / self._rate)

    def encode(self, audio: Mono) -> Latents:
        """Return the latents of audio, shape (latents, frames)."""
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(_SEED)
            encoded = self._model.encode(_tensor(_resampled(audio, SAMPLE_RATE, self._rate)))
            if self._variational:
                # Mean and scale of the posterior lie one after the other.
                return np.asarray(encoded.chunk(2, dim=1)[0][0].numpy())
            return np.asarray(self._model.encoder.reparametrize(encoded)[0][0].numpy())

    def decode(self, latents: Latents) -> NDArray[np.float32]:
        """Return the audio of latents, shape (renders, samples)."""
        return _decoded(self._model.decode, latents, self._together, self._rate)


class ScriptedModel:
    """An exported RAVE (.ts), of ours or of stock RAVE's, see `AuditedModel`.

    It may keep its past from block to block; each call starts from the state of the file. The
    noise that it draws is drawn from the same seed each time.
    """

    streams = True

    def __init__(self, path: Path) -> None:
        quiet_libraries()
        self._model = LoadedModel(path)
        self._rewind = self._model.rewinder()
        methods, rate = self._model.methods, self._model.sample_rate
        if not {"encode", "decode"} <= methods.keys() or rate is None:
            raise InputError(
                f"{path} is no exported RAVE: it has to have the methods encode and decode, and to"
                " say its sample rate."
            )
        self._rate, self._in_channels = rate, methods["encode"].in_channels
        self.ratio = round(methods["encode"].out_ratio * SAMPLE_RATE / rate)

    def encode(self, audio: Mono) -> Latents:
        """Return the latents of audio, shape (latents, frames)."""
        audio = _resampled(audio, SAMPLE_RATE, self._rate)
        tensor = _tensor(audio).repeat(1, self._in_channels, 1)
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            return np.asarray(self._call("encode", tensor)[0].numpy())

    def decode(self, latents: Latents) -> NDArray[np.float32]:
        """Return the audio of latents, shape (renders, samples)."""

        def decode(z: torch.Tensor) -> torch.Tensor:
            return self._call("decode", z).mean(dim=1, keepdim=True)

        return _decoded(decode, latents, 1, self._rate)

    def _call(self, method: str, x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(_SEED)
        self._rewind()  # a model that was called has a past
        return self._model.call(method, x)


def _decoded(
    decode: Callable[[torch.Tensor], torch.Tensor], latents: Latents, together: int, rate: int
) -> NDArray[np.float32]:
    renders: list[Mono] = []
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        for start in range(0, len(latents), together):
            torch.manual_seed(_SEED)
            z = torch.from_numpy(np.asarray(latents[start : start + together], np.float32))
            renders += [np.asarray(audio[0].numpy(), np.float32) for audio in decode(z)]
    return np.stack([_resampled(audio, rate, SAMPLE_RATE) for audio in renders])


def _tensor(audio: Mono) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(audio, np.float32))[None, None]


def _resampled(audio: Mono, rate: int, wanted: int) -> Mono:
    if rate == wanted:
        return audio
    resampled: Mono = soxr.resample(audio, rate, wanted, quality="VHQ")
    return resampled
