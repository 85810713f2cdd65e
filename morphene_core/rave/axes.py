"""The latents of an instrument: their order, their direction, and how far real audio moves them."""

from collections.abc import Sequence

import numpy as np
import rave
import torch

from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.errors import MorpheneError
from morphene_core.final_model import Latent, Rises
from morphene_core.rave.instrument import clear_caches
from morphene_core.rave.validate import active_latents

_AUDIBLE_DB = 1.0
"""A change of level that is heard; below it, brightness decides."""

_FRAMES = 24
"""Latent frames of each reference, where it is loudest, that are decoded: 1 s at full size."""

_SILENT_DB = -60.0  # of the output against the input
_WINDOW = 1024


@torch.inference_mode()
def latent_axes(
    model: rave.RAVE, references: Sequence[Mono], count: int, least_active: int, name: str
) -> tuple[torch.Tensor, list[Latent]]:
    """Find what each latent does to the sound when it is moved up from where real audio puts it.

    RAVE's principal components are ordered by variance, and their sign is arbitrary. Each latent is
    moved one standard deviation down and up while a piece of each reference is decoded, without
    noise. Up is where both become louder, by at least 1 dB in the mean; for a latent that has no
    such direction, up is where they become brighter.

    Args:
        model: with cached convolutions, which remember what they played last afterwards.
        references: real audio, each of shape (samples,), 48 kHz.
        count: how many latents the instrument shows.
        least_active: fewest latents that must carry something.
        name: of the checkpoint, for messages.

    Returns:
        1 or -1 for each latent, shape (count,), and the latents, turned by it.

    Raises:
        MorpheneError: the model has collapsed: nothing reaches its latents, or it makes no sound.
    """
    means = [_means(model, audio) for audio in references]
    _require_life(model, means, references, least_active, name)
    components = [model.latent_pca @ (mean - model.latent_mean.unsqueeze(-1)) for mean in means]
    deviations = torch.cat(components, -1).std(-1)
    shares = torch.diff(model.fidelity, prepend=torch.zeros(1))
    pieces = [_loudest(*both) for both in zip(components, references, strict=True)]
    signs, latents = torch.ones(count), []
    for index in range(count):
        effects = [_effect(model, piece, index, float(deviations[index])) for piece in pieces]
        signs[index], rises, loudness, octaves = direction(effects)
        latents.append(
            Latent(
                number=index + 1,
                variance=float(f"{shares[index]:.4g}"),
                deviation=float(f"{deviations[index]:.6g}"),
                rises=rises,
                loudness_db=round(loudness, 2) + 0.0,  # no negative zero
                brightness_octaves=round(octaves, 3) + 0.0,
            )
        )
    return signs, latents


def direction(effects: Sequence[tuple[float, float]]) -> tuple[int, Rises, float, float]:
    """Return which way up is, what rises then, and by how many dB and octaves.

    Args:
        effects: of a latent on each reference, in dB and octaves, the way that the model has it.

    Returns:
        1 or -1, what rises, and the means of the effects, turned by it.
    """
    loudness, octaves = np.mean(effects, axis=0).tolist()
    agree = len({level > 0 for level, _ in effects}) == 1
    louder = agree and abs(loudness) >= _AUDIBLE_DB
    sign = -1 if (loudness if louder else octaves) < 0 else 1
    return sign, "louder" if louder else "brighter", sign * loudness, sign * octaves


def _means(model: rave.RAVE, audio: Mono) -> torch.Tensor:
    """Return the means of the latents of audio, shape (latents, frames)."""
    clear_caches(model)
    samples = torch.from_numpy(np.ascontiguousarray(audio))[None, None]
    encoded: torch.Tensor = model.encoder(model.pqmf(samples))[0]
    return encoded.chunk(2)[0]


def _loudest(components: torch.Tensor, audio: Mono) -> torch.Tensor:
    """Return the piece of principal components (latents, frames) where the audio is loudest."""
    count = components.shape[-1]
    frames = audio[: len(audio) // count * count].reshape(count, -1)
    power = np.convolve(np.square(frames).mean(1), np.ones(min(_FRAMES, count)), "valid")
    start = int(power.argmax())
    return components[:, start : start + _FRAMES]


def _decoded(model: rave.RAVE, latents: torch.Tensor) -> torch.Tensor:
    """Return the audio of latents (batch, latents, frames), shape (batch, samples)."""
    clear_caches(model)
    audio: torch.Tensor = model.pqmf.inverse(model.decoder(latents))[:, 0]
    return audio


def _require_life(
    model: rave.RAVE,
    means: Sequence[torch.Tensor],
    references: Sequence[Mono],
    least_active: int,
    name: str,
) -> None:
    active = active_latents(torch.cat(list(means), -1))
    if active < least_active:
        raise MorpheneError(
            f"{name} has collapsed: {active} of its {len(means[0])} latents carry anything (at"
            f" least {least_active} must). Choose an earlier checkpoint, or train with less beta."
        )
    given = _level_db(torch.from_numpy(np.concatenate(list(references))))
    heard = max(_level_db(_decoded(model, mean[None])) for mean in means)
    if heard - given < _SILENT_DB:
        raise MorpheneError(
            f"{name} has collapsed: what it plays is {given - heard:.0f} dB below what it is given."
            " Choose another checkpoint."
        )


def _effect(
    model: rave.RAVE, piece: torch.Tensor, index: int, deviation: float
) -> tuple[float, float]:
    """Return how many dB louder and octaves brighter a latent makes a piece on its way up.

    Args:
        model: the network.
        piece: principal components of real audio, shape (latents, frames).
        index: of the latent, from 0.
        deviation: how far to move it from there, to both sides.
    """
    moved = piece.repeat(2, 1, 1)
    moved[0, index] -= deviation
    moved[1, index] += deviation
    down, up = _decoded(model, model.latent_pca.T @ moved + model.latent_mean.unsqueeze(-1))
    return _level_db(up) - _level_db(down), float(torch.log2(_centroid(up) / _centroid(down)))


def _level_db(audio: torch.Tensor) -> float:
    return float(10 * torch.log10(audio.square().mean().clamp_min(1e-20)))


def _centroid(audio: torch.Tensor) -> torch.Tensor:
    """Return the centre of the mean magnitude spectrum, in Hz."""
    window = torch.hann_window(_WINDOW)
    magnitudes = torch.stft(audio, _WINDOW, window=window, return_complex=True).abs().mean(-1)
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, len(magnitudes))
    return (frequencies * magnitudes).sum() / magnitudes.sum().clamp_min(1e-20) + 1.0
