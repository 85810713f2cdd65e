"""How long a network that plays block by block delays its input."""

from collections.abc import Iterable

import rave
from cached_conv import convs
from torch import nn


def latency_samples(model: rave.RAVE) -> int:
    """Return the delay from the input of a model to its output, in samples.

    It is what the padding of each cached convolution postpones, from the analysis filters to the
    synthesis filters. The block that a host collects before it calls the model comes on top.

    Args:
        model: built with cached convolutions.
    """
    path = (
        model.pqmf.forward_conv,
        model.encoder,
        *_decoder_path(model.decoder),
        model.pqmf.inverse_conv,
    )
    return round(_in_series(path, 1.0)[0])


def _decoder_path(decoder: nn.Module) -> list[nn.Module]:
    """Return the parts of a decoder that audio passes, in that order."""
    if isinstance(decoder, rave.blocks.GeneratorV2) and decoder.waveform_module is not None:
        return [decoder.net, decoder.waveform_module]
    return [decoder]


def _in_series(modules: Iterable[nn.Module], unit: float) -> tuple[float, float]:
    """Return the delay of modules one after the other, and the samples of a step behind them.

    Args:
        modules: in the order of the signal.
        unit: samples of audio that a step stands for in front of the first.
    """
    delay = 0.0
    for module in modules:
        added, unit = _delay(module, unit)
        delay += added
    return delay, unit


def _delay(module: nn.Module, unit: float) -> tuple[float, float]:
    if isinstance(module, convs.CachedConv1d):
        stride = module.stride[0]
        return module.cumulative_delay * stride * unit, unit * stride
    if isinstance(module, convs.CachedConvTranspose1d):
        unit /= module.stride[0]
        return module.cumulative_delay * unit, unit
    if isinstance(module, convs.AlignBranches):
        branches = [_delay(branch, unit) for branch in module.branches]
        return max(delay for delay, _ in branches), branches[0][1]
    if isinstance(module, rave.blocks.NoiseGenerator | rave.blocks.NoiseGeneratorV2):
        return 0.0, unit
    return _in_series(module.children(), unit)
