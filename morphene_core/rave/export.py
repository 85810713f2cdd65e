"""Export of a checkpoint to the streaming TorchScript model that nn~ plays."""

import io
from pathlib import Path

import nn_tilde
import rave
import torch
from torch import nn
from torch.nn import functional

from morphene_core.errors import MorpheneError
from morphene_core.files import atomic_file
from morphene_core.rave.configuration import load_model

_TEST_SAMPLES = 2**14


class StreamingInstrument(nn_tilde.Module):  # type: ignore[misc]
    """RAVE as nn~ plays it: ``encode``, ``decode`` and ``forward``, block by block.

    The latents that it shows are the first principal components of RAVE's latent space, the one
    with most variance first. Their number is the caller's choice, not one that differs from
    checkpoint to checkpoint; those that are left out are drawn from the prior in ``decode``.

    Args:
        model: RAVE in evaluation mode, built with cached convolutions.
        latents: how many latents ``encode`` gives and ``decode`` takes.
    """

    def __init__(self, model: rave.RAVE, latents: int) -> None:
        super().__init__()
        self.pqmf = model.pqmf
        self.encoder = model.encoder
        self.decoder = model.decoder
        self.register_buffer("latent_pca", model.latent_pca)
        self.register_buffer("latent_mean", model.latent_mean)
        self.sr = model.sr
        self.latent_size = latents
        self.full_latent_size = model.latent_size

        # A first pass makes the caches of the convolutions, without which scripting fails.
        ratio = _TEST_SAMPLES // self.encode(torch.zeros(1, 1, _TEST_SAMPLES)).shape[-1]
        names = [f"(signal) latent {index + 1}" for index in range(latents)]
        audio_in, audio_out = ["(signal) audio in"], ["(signal) audio out"]
        self._register("encode", (1, 1, latents, ratio), audio_in, names)
        self._register("decode", (latents, ratio, 1, 1), names, audio_out)
        self._register("forward", (1, 1, 1, 1), audio_in, audio_out)

    def _register(
        self, method: str, shape: tuple[int, int, int, int], inputs: list[str], outputs: list[str]
    ) -> None:
        in_channels, in_ratio, out_channels, out_ratio = shape
        self.register_method(
            method,
            in_channels=in_channels,
            in_ratio=in_ratio,
            out_channels=out_channels,
            out_ratio=out_ratio,
            input_labels=inputs,
            output_labels=outputs,
        )

    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Turn audio (batch, 1, samples) into latents (batch, latents, samples / ratio)."""
        z = self.encoder.reparametrize(self.encoder(self.pqmf(x)))[0]
        z = functional.conv1d(z - self.latent_mean.unsqueeze(-1), self.latent_pca.unsqueeze(-1))
        return z[:, : self.latent_size]

    @torch.jit.export
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Turn latents (batch, latents, frames) into audio (batch, 1, frames * ratio)."""
        hidden = self.full_latent_size - self.latent_size
        noise = torch.randn(z.shape[0], hidden, z.shape[-1]).type_as(z)
        z = functional.conv1d(torch.cat([z, noise], 1), self.latent_pca.t().unsqueeze(-1))
        y: torch.Tensor = self.pqmf.inverse(self.decoder(z + self.latent_mean.unsqueeze(-1)))
        return y

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct audio (batch, 1, samples)."""
        return self.decode(self.encode(x))


@torch.inference_mode()
def export(checkpoint: Path, path: Path, latents: int) -> None:
    """Export a checkpoint as a streaming .ts, complete or not at all.

    Args:
        checkpoint: .pt or .ckpt with config.gin beside it; it is only read.
        path: the .ts.
        latents: how many latents the instrument shows.

    Raises:
        InputError: the checkpoint cannot be loaded.
        MorpheneError: its latent PCA was never computed, or it holds non-finite weights.
    """
    model = load_model(checkpoint, streaming=True)
    _require_sound(model, checkpoint)
    for module in model.modules():
        if hasattr(module, "weight_g"):
            nn.utils.remove_weight_norm(module)
    instrument = StreamingInstrument(model, latents).eval()
    # Through a buffer: torch writes the stem of a file's name, here a temporary one, into it.
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(instrument), buffer)
    with atomic_file(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _require_sound(model: rave.RAVE, checkpoint: Path) -> None:
    if not model.fidelity.any():
        raise MorpheneError(
            f"{checkpoint} was never validated in phase 1: it has no latent PCA and cannot be"
            " exported. Choose a later checkpoint."
        )
    for name, value in model.state_dict().items():
        if not torch.isfinite(value).all():
            raise MorpheneError(f"{checkpoint} holds non-finite numbers ({name}). Choose another.")
