"""The metrics and artifacts by name: unit, direction, meaning and source."""

from dataclasses import dataclass
from typing import Literal

METRICS_VERSION = "1"
"""Of the measurements: raised whenever the same audio would give another number."""


@dataclass(frozen=True)
class Metric:
    """A number that compares renders with their references.

    Attributes:
        name: as in an audit's metrics.
        title: for a person.
        unit: empty for a number without one.
        criterion: the quality criterion it belongs to.
        better: which values are better.
        best: what the reference against itself gives (of the morphs: an even, straight path).
        meaning: one line for a person.
        source: where the method is from.
    """

    name: str
    title: str
    unit: str
    criterion: str
    better: Literal["lower", "higher"]
    best: float
    meaning: str
    source: str


@dataclass(frozen=True)
class Artifact:
    """A fault that is counted in one render, without a reference. None is 0 or about 0.

    Attributes:
        name: as in an audit's artifacts.
        title: for a person.
        unit: of the number.
        meaning: one line for a person.
        source: where the method is from.
    """

    name: str
    title: str
    unit: str
    meaning: str
    source: str


_MMD = "Gretton et al., A Kernel Two-Sample Test (JMLR 13, 2012)"
_OF_OUR_OWN = "this project, see docs/metrics.md"

_ALL = (
    Metric(
        "musical_spectral_distance",
        "spectral distance",
        "",
        "musical_reconstruction",
        "lower",
        0.0,
        "How far the spectra are apart at each moment; blurred sound does too well here.",
        "multi-resolution STFT distance: Yamamoto et al., Parallel WaveGAN (ICASSP 2020)",
    ),
    Metric(
        "musical_f0_error",
        "pitch error",
        "cents",
        "musical_reconstruction",
        "lower",
        0.0,
        "How far the pitch is off in the middle case, where the reference has a pitch.",
        "raw pitch: Salamon et al., Melody Extraction (IEEE SPM 31, 2014); pitch by YIN (2002)",
    ),
    Metric(
        "musical_voicing_error",
        "voicing error",
        "share of frames",
        "musical_reconstruction",
        "lower",
        0.0,
        "How often one has a pitch and the other has none.",
        "voicing decision error: Chu & Alwan (ICASSP 2009); pitch by YIN (2002)",
    ),
    Metric(
        "musical_loudness_correlation",
        "loudness correlation",
        "",
        "musical_reconstruction",
        "higher",
        1.0,
        "Whether it swells and fades with the reference.",
        "Pearson correlation of K-weighted levels (ITU-R BS.1770-4)",
    ),
    Metric(
        "musical_timbre_mmd",
        "timbre MMD²",
        "",
        "musical_reconstruction",
        "lower",
        0.0,
        "Whether it is made of the same sounds as the reference, whenever they come.",
        f"unbiased MMD²: {_MMD}, on log-mel frames",
    ),
    Metric(
        "nonmusical_texture_mmd",
        "texture MMD²",
        "",
        "nonmusical_reconstruction",
        "lower",
        0.0,
        "Whether it is made of the same sounds as the reference, whenever they come.",
        f"unbiased MMD²: {_MMD}, on log-mel frames",
    ),
    Metric(
        "nonmusical_modulation_distance",
        "modulation distance",
        "dB",
        "nonmusical_reconstruction",
        "lower",
        0.0,
        "Whether its bands flutter, crackle and swell as fast and as much as the reference's.",
        "modulation power: McDermott & Simoncelli, Sound Texture Perception (Neuron 71, 2011)",
    ),
    Metric(
        "nonmusical_onset_error",
        "onset density error",
        "octaves",
        "nonmusical_reconstruction",
        "lower",
        0.0,
        "How many times more or fewer events begin than in the reference: 1 is twice or half.",
        "spectral flux onsets: Böck & Widmer (DAFx 2013)",
    ),
    Metric(
        "morph_unevenness",
        "unevenness",
        "",
        "morph_progression",
        "lower",
        0.0,
        "How unequal the 20 steps are: 0 all alike, 4.4 a switch.",
        f"coefficient of variation of step lengths: {_OF_OUR_OWN}",
    ),
    Metric(
        "morph_path_ratio",
        "path ratio",
        "",
        "morph_progression",
        "lower",
        1.0,
        "How much longer the path is than the straight line between its ends.",
        f"path length in log-mel space: {_OF_OUR_OWN}",
    ),
    Metric(
        "morph_monotonicity",
        "monotonicity",
        "",
        "morph_progression",
        "higher",
        1.0,
        "Whether every step leads away from one end and towards the other.",
        f"net change over total variation: {_OF_OUR_OWN}",
    ),
    Metric(
        "morph_endpoint_distance",
        "end-point distance",
        "",
        "morph_progression",
        "lower",
        0.0,
        "How far the ends are from the references: 1 is as far as these are from each other.",
        f"log-mel distance: {_OF_OUR_OWN}",
    ),
    Metric(
        "morph_dropouts",
        "dropouts",
        "share of frames",
        "morph_progression",
        "lower",
        0.0,
        "How often the sound falls far under the level of both ends.",
        f"levels of frames: {_OF_OUR_OWN}",
    ),
    Metric(
        "morph_flux_spikes",
        "flux spikes",
        "per second",
        "morph_progression",
        "lower",
        0.0,
        "How often something begins on the way that begins at neither end.",
        f"spectral flux after Böck & Widmer (DAFx 2013), ends for threshold: {_OF_OUR_OWN}",
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""By name, in the order in which they are shown."""

_FAULTS = (
    Artifact(
        "clicks",
        "clicks",
        "per second",
        "Isolated clicks that keep to the grid of the model's blocks.",
        "residual of linear prediction: Godsill & Rayner, Digital Audio Restoration (1998), ch. 5",
    ),
    Artifact(
        "non_finite",
        "non-finite samples",
        "samples",
        "Samples that are no numbers (NaN or infinite).",
        "counted",
    ),
    Artifact(
        "dc_offset",
        "DC offset",
        "share of full scale",
        "The mean of all samples, without sign.",
        "counted",
    ),
    Artifact(
        "clipped",
        "clipped",
        "share of samples",
        "Samples beyond full scale or on a plateau at the peak.",
        "counted",
    ),
    Artifact(
        "silent",
        "silent",
        "share of time",
        "Time in which the level is under -80 dBFS.",
        "counted",
    ),
    Artifact(
        "frame_buzz",
        "buzz at the frame rate",
        "dB",
        "How far lines at multiples of the frame rate stand out of what lies between them.",
        f"averaged periodograms: Welch (1967); the comb: {_OF_OUR_OWN}",
    ),
)

ARTIFACTS: dict[str, Artifact] = {artifact.name: artifact for artifact in _FAULTS}
"""By name, in the order in which they are shown."""
