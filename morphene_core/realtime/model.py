"""A .ts as a host loads it: what it can be called for, what can be set, and the call itself."""

import copy
import functools
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from morphene_core.errors import InputError, MorpheneError
from morphene_core.final_model import Method
from morphene_core.realtime.intact import require_intact

Value = float | int | bool | str

MAX_BLOCK = 1 << 15
"""Samples in a block at most, and so the largest ratio: 0.7 s at 48 kHz. Of larger ones too few fit
in the 2.5 s of audio after which nothing may be left of a disturbance."""

_RATES = (8_000, 384_000)  # Hz; a model of any other says something wrong of itself

_QUIET = ("temperature", "encoder_noise")
_TYPES: tuple[type[Value], ...] = (bool, int, float, str)  # by nn~'s numbers; then come tensors


class LoadedModel:
    """A .ts in memory, in the state that is in the file.

    Args:
        path: the file.

    Raises:
        InputError: it is missing, damaged, or nothing that nn~ can play.
    """

    def __init__(self, path: Path) -> None:
        require_intact(path)
        self.path = path
        try:
            self._module: Any = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except Exception as error:  # torch raises some ten kinds of errors on a broken file
            raise InputError(
                f"{path} is no TorchScript that this torch ({torch.__version__}) reads:"
                f" {_first_line(error)}"
            ) from error
        self.methods = {name: self._shape(name) for name in self._method_names()}
        if not self.methods:
            raise InputError(
                f"{path} is TorchScript, but nothing that nn~ plays: it has no method with its"
                " parameters (such as forward and forward_params)."
            )

    def copy(self) -> "LoadedModel":
        """Return another one in the same state, which costs less than loading it again."""
        other = copy.copy(self)
        other._module = copy.deepcopy(self._module)
        return other

    def rewinder(self) -> Callable[[], None]:
        """Return what sets its buffers back to what they are now.

        That is all that a RAVE remembers, and costs next to nothing; a copy has the weights, too.
        """
        kept = {name: buffer.clone() for name, buffer in self._module.named_buffers()}

        def rewind() -> None:
            for name, buffer in self._module.named_buffers():
                buffer.copy_(kept[name])

        return rewind

    @property
    def sample_rate(self) -> int | None:
        """The rate that it was made for, in Hz, or None if it does not say a possible one."""
        rate = getattr(self._module, "sr", getattr(self._module, "sampling_rate", None))
        if isinstance(rate, int | float) and _RATES[0] <= rate <= _RATES[1]:
            return int(rate)
        return None

    @property
    def latency(self) -> int | None:
        """Samples from its input to its output, or None if it does not say."""
        latency = getattr(self._module, "latency", None)
        if isinstance(latency, int | float) and 0 <= latency < math.inf:
            return int(latency)
        return None

    @property
    def largest_ratio(self) -> int:
        """The largest ratio of all its methods: nn~ takes no smaller block."""
        return max(max(of.in_ratio, of.out_ratio) for of in self.methods.values())

    @property
    def attributes(self) -> list[str]:
        """Names of what nn~ can set."""
        try:
            names = [str(name) for name in self._module.get_attributes()]
        except Exception:  # a model without attributes need not have the method
            return []
        return [name for name in names if name != "none"]

    def settable(self, attribute: str) -> bool:
        """Return whether an attribute takes numbers and words only, and no tensors or buffers."""
        kinds = getattr(self._module, f"{attribute}_params", torch.tensor([])).tolist()
        return all(int(kind) < len(_TYPES) for kind in kinds)

    @functools.cached_property
    def quiet(self) -> dict[str, Sequence[Value]]:
        """The values of its attributes at which it draws no noise, so far as it takes such."""
        found: dict[str, Sequence[Value]] = {}
        for name in set(_QUIET) & set(self.attributes):
            with suppress(MorpheneError):
                self.copy().set(name, (0.0,))
                found[name] = (0.0,)
        return found

    def get(self, attribute: str) -> tuple[Value, ...]:
        """Return an attribute's values.

        Raises:
            MorpheneError: it cannot be read.
        """
        try:
            return tuple(getattr(self._module, f"get_{attribute}")())
        except Exception as error:
            raise MorpheneError(
                f"{self.path}: attribute {attribute} cannot be read: {last_line(error)}"
            ) from error

    def set(self, attribute: str, values: Sequence[Value]) -> None:
        """Set an attribute as nn~ does, each value in the type that the model wants.

        Raises:
            MorpheneError: the model refuses, or nn~ would.
        """
        try:
            kinds = getattr(self._module, f"{attribute}_params").tolist()
            given = [_TYPES[int(kind)](value) for kind, value in zip(kinds, values, strict=True)]
            result = getattr(self._module, f"set_{attribute}")(*given)
        except Exception as error:
            raise MorpheneError(
                f"{self.path}: attribute {attribute} cannot be set to {tuple(values)}:"
                f" {last_line(error)}"
            ) from error
        if result != 0:
            raise MorpheneError(f"{self.path}: {attribute} does not take {tuple(values)}.")

    def call(self, method: str, x: torch.Tensor, optimized: bool = False) -> torch.Tensor:
        """Call a method; whatever the model raises is raised.

        Args:
            method: its name.
            x: shape (1, channels, frames).
            optimized: whether torch optimizes the model's code in the first calls. It does in nn~;
                the audio is the same without, and there sooner.

        Returns:
            Shape (1, channels, frames).
        """
        with torch.inference_mode(), torch.jit.optimized_execution(optimized):  # type: ignore[attr-defined]
            y: torch.Tensor = getattr(self._module, method)(x)
        return y

    def _method_names(self) -> list[str]:
        """Return the methods that nn~ finds: those that are listed, else all with parameters."""
        try:
            listed = [str(name) for name in self._module.get_methods()]
        except Exception:  # nn~ looks at all of them then
            listed = dir(self._module)
        named = [name for name in listed if hasattr(self._module, f"{name}_params")]
        return [name for name in named if callable(getattr(self._module, name, None))]

    def _shape(self, name: str) -> Method:
        said = getattr(self._module, f"{name}_params")
        numbers = said.tolist() if isinstance(said, torch.Tensor) else said
        try:
            shape = [int(number) for number in numbers]
            fits = shape == list(numbers) and len(shape) == 4
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits or not all(1 <= number <= MAX_BLOCK for number in shape):
            raise InputError(
                f"{self.path}: {name}_params is {str(numbers)[:80]}, and has to be four whole"
                f" numbers from 1 to {MAX_BLOCK:,}: input channels and ratio, output channels and"
                " ratio. Export it again."
            )
        return Method(name, *shape)


def last_line(error: Exception) -> str:
    """Return what a model's error says at its end, where TorchScript names the reason."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
