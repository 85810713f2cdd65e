"""The exported network: RAVE as nn~ and RAVE VST play it, with a morph that RAVE does not have."""

import math

import nn_tilde
import rave
import torch
from cached_conv import convs
from torch import nn
from torch.nn import functional

from morphene_core.errors import InputError
from morphene_core.final_model import Attribute, Method

ATTRIBUTES = (
    Attribute("temperature", ["float"], [1.0], "noise in the latents that are not shown, 0 to 1"),
    Attribute("encoder_noise", ["float"], [1.0], "noise that RAVE adds to what it encodes, 0 to 1"),
    Attribute(
        "latent",
        ["int", "float"],
        [0, 0.0],
        "moves latent n (1 is the first) by so many standard deviations; 0 0 takes all back",
    ),
    *(
        Attribute(name, ["bool"], [False], "RAVE's own, for models with style transfer: no effect")
        for name in ("learn_target", "reset_target", "learn_source", "reset_source")
    ),
)
"""What nn~ can set. The last four are there for the sake of patches that were made for RAVE."""


class StreamingInstrument(nn_tilde.Module):  # type: ignore[misc]
    """RAVE as nn~ plays it, block by block: ``encode``, ``decode``, ``forward`` and ``morph``.

    The latents that it shows are the first principal components of RAVE's latent space, the one
    with most variance first, each turned so that a positive value means louder, else brighter.
    Their number is the caller's choice, not one that differs from checkpoint to checkpoint; those
    that are not shown are drawn from the prior in ``decode``.

    With all attributes at their defaults it draws the same random numbers as stock RAVE's export.

    Args:
        model: RAVE in evaluation mode, as `morphene_core.rave.export.playable` returns it.
        signs: 1 or -1 for each latent that is shown, shape (latents,).
        deviations: standard deviation of each over real audio, shape (latents,).
        name: of the instrument.
        version: of the model.
        latency: from the input to the output, in samples.
    """

    def __init__(
        self,
        model: rave.RAVE,
        signs: torch.Tensor,
        deviations: torch.Tensor,
        name: str,
        version: str,
        latency: int,
    ) -> None:
        super().__init__()
        self.pqmf = model.pqmf
        self.encoder = model.encoder.encoder
        self.decoder = model.decoder
        shown = len(signs)
        turned = torch.cat([signs, torch.ones(model.latent_size - shown)])
        self.register_buffer("latent_pca", model.latent_pca * turned.unsqueeze(-1))
        self.register_buffer("latent_mean", model.latent_mean)
        self.register_buffer("latent_deviation", deviations)
        self.register_buffer("latent_offset", torch.zeros(1, shown, 1))

        self.name, self.version = name, version
        self.sr = self.sampling_rate = int(model.sr)
        self.latency = latency
        self.latent_size, self.full_latent_size = shown, int(model.latent_size)
        self.n_channels = self.target_channels = 1
        self.stereo_mode = False
        # RAVE VST looks for it, and then decodes left and right as a batch of two.
        self.stereo = True
        for attribute in ATTRIBUTES:
            self.register_attribute(attribute.name, tuple(attribute.default))

        # A first pass makes the caches of the convolutions, without which scripting fails.
        samples = 2**14
        self.ratio = samples // self.encode(torch.zeros(1, 1, samples)).shape[-1]
        self._register_methods()

    def _register_methods(self) -> None:
        latents = [f"(signal) latent {index + 1}" for index in range(self.latent_size)]
        sources = ["(signal) musical source", "(signal) non-musical source"]
        amount = "(signal) amount: 0 musical, 1 non-musical"
        audio_in, audio_out = ["(signal) audio in"], ["(signal) audio out"]
        shown, ratio = self.latent_size, self.ratio
        for method, inputs, outputs in (
            (Method("encode", 1, 1, shown, ratio), audio_in, latents),
            (Method("decode", shown, ratio, 1, 1), latents, audio_out),
            (Method("forward", 1, 1, 1, 1), audio_in, audio_out),
            (Method("morph", 3, 1, 1, 1), [*sources, amount], audio_out),
        ):
            self.register_method(
                method.name,
                in_channels=method.in_channels,
                in_ratio=method.in_ratio,
                out_channels=method.out_channels,
                out_ratio=method.out_ratio,
                input_labels=inputs,
                output_labels=outputs,
            )

    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Turn audio (batch, 1, samples) into latents (batch, latents, samples / ratio)."""
        if self.stereo_mode:
            x = x[:, 0].unsqueeze(0)
        return self._encoded(x)

    @torch.jit.export
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Turn latents (batch, latents, frames) into audio (batch, 1, frames * ratio).

        It takes up to ``full_latent_size`` latents; those that are missing are drawn. In the stereo
        mode the batch holds left and right, which come out as channels; RAVE VST, which draws the
        hidden latents itself, for each of the two, takes them as the batch that they are.
        """
        shown = z[:, : self.latent_size] + self.latent_offset[:, : z.shape[1]]
        hidden = self.full_latent_size - z.shape[1]
        noise = torch.randn(z.shape[0], hidden, z.shape[-1]).type_as(z) * self.temperature[0]
        z = torch.cat([shown, z[:, self.latent_size :], noise], 1)
        # Latents of real audio stay within a few tens; far beyond, the decoder overflows.
        z = torch.nan_to_num(z, 0.0, 0.0, 0.0).clamp(-1000.0, 1000.0)
        z = functional.conv1d(z, self.latent_pca.t().unsqueeze(-1))
        y: torch.Tensor = self.pqmf.inverse(self.decoder(z + self.latent_mean.unsqueeze(-1)))
        if self.stereo_mode:
            y = torch.cat([y[: y.shape[0] // 2], y[y.shape[0] // 2 :]], 1)
        return y

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reconstruct audio (batch, 1, samples)."""
        return self.decode(self.encode(x))

    @torch.jit.export
    def morph(self, x: torch.Tensor) -> torch.Tensor:
        """Go from one source to the other in latent space.

        Args:
            x: shape (batch, 3, samples): musical source, non-musical source, and the amount from 0
                (musical) to 1, of which each latent frame takes the mean.

        Returns:
            Shape (batch, 1, samples).
        """
        # Both as one batch: it costs less than one after the other, and each has its own caches.
        latents = self._encoded(torch.cat([x[:, :1], x[:, 1:2]], 0))
        musical, nonmusical = latents.chunk(2, 0)
        amount = x[:, 2:].reshape(x.shape[0], 1, latents.shape[-1], -1).mean(-1)
        amount = torch.nan_to_num(amount, 0.0, 1.0, 0.0).clamp(0.0, 1.0)
        return self.decode((1 - amount) * musical + amount * nonmusical)

    def _encoded(self, x: torch.Tensor) -> torch.Tensor:
        # What is not finite would stay in the caches for as long as the receptive field; and what
        # is louder than +24 dBFS is no audio.
        x = torch.nan_to_num(x, 0.0, 0.0, 0.0).clamp(-16.0, 16.0)
        mean, scale = self.encoder(self.pqmf(x)).chunk(2, 1)
        deviation = functional.softplus(scale) + 1e-4
        # RAVE's posterior (Kingma and Welling 2014, arXiv:1312.6114), drawn as its export draws.
        z = torch.randn_like(mean) * deviation * self.encoder_noise[0] + mean
        z = functional.conv1d(z - self.latent_mean.unsqueeze(-1), self.latent_pca.unsqueeze(-1))
        return z[:, : self.latent_size]

    @torch.jit.export
    def set_stereo_mode(self, stereo: bool) -> None:
        """Give a batch of two as left and right, as stock RAVE's export does once it is told to."""
        self.stereo_mode = stereo

    @torch.jit.export
    def get_temperature(self) -> tuple[float]:
        """Return the noise in the latents that are not shown."""
        return self.temperature

    @torch.jit.export
    def set_temperature(self, value: float) -> int:
        """Set the noise in the latents that are not shown; 1 is the prior's."""
        if not math.isfinite(value):
            return -1
        self.temperature = (value,)
        return 0

    @torch.jit.export
    def get_encoder_noise(self) -> tuple[float]:
        """Return the noise of the encoder."""
        return self.encoder_noise

    @torch.jit.export
    def set_encoder_noise(self, value: float) -> int:
        """Set the noise of the encoder; 1 is RAVE's own, 0 none."""
        if not math.isfinite(value):
            return -1
        self.encoder_noise = (value,)
        return 0

    @torch.jit.export
    def get_latent(self) -> tuple[int, float]:
        """Return which latent was moved last, and how far."""
        return self.latent

    @torch.jit.export
    def set_latent(self, number: int, deviations: float) -> int:
        """Move a latent from where the sound puts it; -1 where there is none of that number."""
        if number < 0 or number > self.latent_size or not math.isfinite(deviations):
            return -1
        if number == 0:
            self.latent_offset.zero_()
        else:
            moved = self.latent_deviation[number - 1] * deviations
            self.latent_offset[0, number - 1, 0] = moved
        self.latent = (number, deviations)
        return 0

    @torch.jit.export
    def get_learn_target(self) -> tuple[bool]:
        """Return what was set."""
        return self.learn_target

    @torch.jit.export
    def set_learn_target(self, value: bool) -> int:
        """Take what patches for RAVE set."""
        self.learn_target = (value,)
        return 0

    @torch.jit.export
    def get_reset_target(self) -> tuple[bool]:
        """Return what was set."""
        return self.reset_target

    @torch.jit.export
    def set_reset_target(self, value: bool) -> int:
        """Take what patches for RAVE set."""
        self.reset_target = (value,)
        return 0

    @torch.jit.export
    def get_learn_source(self) -> tuple[bool]:
        """Return what was set."""
        return self.learn_source

    @torch.jit.export
    def set_learn_source(self, value: bool) -> int:
        """Take what patches for RAVE set."""
        self.learn_source = (value,)
        return 0

    @torch.jit.export
    def get_reset_source(self) -> tuple[bool]:
        """Return what was set."""
        return self.reset_source

    @torch.jit.export
    def set_reset_source(self, value: bool) -> int:
        """Take what patches for RAVE set."""
        self.reset_source = (value,)
        return 0


def require_morph(model: rave.RAVE, name: str) -> None:
    """Refuse an architecture of which no instrument can be made.

    Args:
        model: the network.
        name: of the checkpoint or profile, for the message.

    Raises:
        InputError: its latents are no continuous space of principal components, or it does not
            take and give bands of audio.
    """
    styled = any(
        isinstance(module, rave.blocks.AdaptiveInstanceNormalization) for module in model.modules()
    )
    variational = isinstance(model.encoder, rave.blocks.VariationalEncoder)
    in_bands = model.input_mode == model.output_mode == "pqmf"
    if styled or not variational or not in_bands:
        raise InputError(
            f"{name} is of an architecture that is not exported: an instrument needs RAVE's"
            " variational encoder, without style transfer (AdaIN), between bands of audio (PQMF),"
            " as in v2."
        )


def methods_of(instrument: StreamingInstrument) -> list[Method]:
    """Return what nn~ can call."""
    return [
        Method(str(name), *getattr(instrument, f"{name}_params").tolist())
        for name in instrument.get_methods()
    ]


def clear_caches(module: nn.Module) -> None:
    """Forget what the convolutions have heard: an instrument begins in silence."""
    for part in module.modules():
        if isinstance(part, convs.CachedPadding1d) and part.initialized:
            part.pad.zero_()
        elif isinstance(part, convs.CachedConvTranspose1d) and part.initialized:
            part.cache.zero_()
