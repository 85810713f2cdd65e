"""What an audit needs of a model: from audio to latents, and back."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from morphene_core.audio.wav import Mono

Latents = NDArray[np.floating[Any]]
"""Shape (latents, frames)."""


class AuditedModel(Protocol):
    """A model that can be audited; `morphene_core.rave.models` opens them.

    Attributes:
        ratio: samples at 48 kHz per latent frame.
        streams: whether its output is late by an unknown latency, as that of models that play
            block by block is.
    """

    ratio: int
    streams: bool

    def encode(self, audio: Mono) -> Latents:
        """Return the latents of audio, shape (samples,), 48 kHz. The same audio gives the same."""
        ...

    def decode(self, latents: Latents) -> NDArray[np.float32]:
        """Return the audio of latents.

        Args:
            latents: shape (renders, latents, frames).

        Returns:
            Shape (renders, samples), 48 kHz. The same latents give the same audio.
        """
        ...
