"""Small TorchScript models with RAVE's methods, sound ones and ones with a fault on purpose."""

from pathlib import Path

import torch
from torch import nn

RATIO = 256


class Toy(nn.Module):
    """A filter over 64 samples that remembers what came before, and a latent of two levels.

    A fault is a word in `fault`: what it spoils stands beside it.
    """

    fault: str
    kept: list[torch.Tensor]
    temperature: tuple[float]
    sr: int
    latency: int

    def __init__(self, fault: str = "", sr: int = 48_000, channels: int = 1) -> None:
        super().__init__()
        self.fault, self.sr, self.latency, self.channels = fault, sr, 20, channels
        self.temperature = (0.0,)
        self.kept = []
        for name, shape in {
            "encode": (channels, 1, 2, RATIO),
            "decode": (2, RATIO, channels, 1),
            "forward": (channels, 1, channels, 1),
            "morph": (3, 1, 1, 1),
            "prior": (1, RATIO, 2, RATIO),
        }.items():
            self.register_buffer(f"{name}_params", torch.tensor(shape))
        self.register_buffer("temperature_params", torch.tensor([2]))
        # A delay of 20 samples, and a little of all around.
        taps = 0.3 ** (torch.arange(64.0) - 20).abs()
        self.register_buffer("taps", (taps / taps.sum()).flip(0)[None, None])
        self.register_buffer("past", torch.zeros(8, 1, 63))
        self.register_buffer("tail", torch.zeros(8, 1, 1))
        if fault == "begins with a sound":
            self.past.fill_(3.0)

    def filtered(self, x: torch.Tensor) -> torch.Tensor:
        """Filter (voices, 1, samples), each voice with its own past."""
        if self.fault not in ("lets NaN in", "keeps NaN"):
            x = torch.nan_to_num(x, 0.0, 0.0, 0.0)
        voices = x.shape[0]
        x = torch.cat([self.past[:voices], x], -1)
        if self.fault != "forgets":
            self.past[:voices] = x[..., -63:]
        y = nn.functional.conv1d(x, self.taps)
        if self.fault == "keeps NaN":
            self.tail[:voices] = 0.5 * self.tail[:voices] + y[..., -1:]
            y = y + 0.1 * self.tail[:voices]
        if self.fault == "keeps memory" or (self.fault == "fills up" and len(self.kept) < 234):
            self.kept.append(torch.zeros(16384))  # 64 KB
        if self.fault == "keeps a little memory":
            self.kept.append(torch.zeros(1024))  # 4 KB
        if self.fault == "keeps a level":
            self.tail[:voices] = torch.maximum(self.tail[:voices], x.abs().amax(-1, keepdim=True))
            y = y * (1 + self.tail[:voices])
        return y

    @torch.jit.export
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Filter (1, channels, samples)."""
        y = self.filtered(x[0].unsqueeze(1)).squeeze(1).unsqueeze(0)
        if self.fault == "draws noise" or self.temperature[0] > 0:
            y = y + 0.01 * torch.randn_like(y)
        if self.fault == "is silent":
            y = y * 0
        if self.fault == "is short":
            y = y[..., 1:]
        if self.fault == "is double":
            return y.double()
        if self.fault == "raises" and bool(x.abs().max() > 0.1):
            raise RuntimeError("it is too loud for me")
        return y

    @torch.jit.export
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Give the mean level and the mean of each frame."""
        y = self.filtered(x[0].unsqueeze(1)).mean(0)
        frames = y.reshape(1, -1, 256)
        return torch.stack([frames.abs().mean(-1), frames.mean(-1)], 1)

    @torch.jit.export
    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Give a tone of a frame's level."""
        z = torch.nan_to_num(z, 0.0, 0.0, 0.0)
        tone = torch.sin(torch.arange(256.0) * 0.5)
        y = (z[:, :1].unsqueeze(-1) * tone).reshape(1, 1, -1)
        return y.repeat(1, self.channels, 1)

    @torch.jit.export
    def morph(self, x: torch.Tensor) -> torch.Tensor:
        """Fade from the first source to the second."""
        y = self.filtered(x[:, :2].transpose(0, 1))
        amount = torch.nan_to_num(x[:, 2:], 0.0, 0.0, 0.0).clamp(0.0, 1.0)
        if self.fault == "does not morph":
            amount = amount * 0
        if self.fault == "clicks in between":
            inside = (amount > 0.01) & (amount < 0.99)
            edge = torch.arange(amount.shape[-1]) % 2048 == 7
            return (1 - amount) * y[:1] + amount * y[1:2] + 0.9 * (inside & edge)
        if self.fault == "breaks beyond the ends" and bool((x[:, 2:] > 1.5).any()):
            return y[:1] / 0.0
        return (1 - amount) * y[:1] + amount * y[1:2]

    @torch.jit.export
    def prior(self, x: torch.Tensor) -> torch.Tensor:
        """Is not known how to play."""
        return x

    @torch.jit.export
    def get_methods(self) -> list[str]:
        """Return what nn~ can call."""
        return ["encode", "decode", "forward", "morph", "prior"]

    @torch.jit.export
    def get_attributes(self) -> list[str]:
        """Return what nn~ can set."""
        return ["temperature"]

    @torch.jit.export
    def get_temperature(self) -> tuple[float]:
        """Return the noise."""
        return self.temperature

    @torch.jit.export
    def set_temperature(self, value: float) -> int:
        """Set the noise."""
        if self.fault == "refuses":
            return -1
        self.temperature = (value,)
        return 0


def toy(
    folder: Path,
    fault: str = "",
    sr: int = 48_000,
    channels: int = 1,
    shape: torch.Tensor | None = None,
) -> Path:
    """Save a toy, and return its file; a shape is what it says of its method ``forward``."""
    path = folder / "toy.ts"
    made = Toy(fault, sr, channels)
    if shape is not None:
        made.forward_params = shape
    torch.jit.save(torch.jit.script(made.eval()), str(path))
    return path
