"""That each metric orders known damage as ears would, on synthesized and on real recordings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from morphene_core.audio.spectral import spectral_distance
from morphene_core.metrics import (
    METRICS,
    MorphReference,
    MusicalReference,
    TextureReference,
    artifacts,
)
from morphene_core.synthesis import fire_takes, violin_takes
from tests import damage

RATE = 48_000
SECONDS = 4
AMOUNTS = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class Sounds:
    """A musical sound and a texture of four seconds."""

    musical: np.ndarray
    texture: np.ndarray

    def reference(self, role: str) -> tuple[np.ndarray, MusicalReference | TextureReference]:
        if role == "musical":
            return self.musical, MusicalReference(self.musical)
        return self.texture, TextureReference(self.texture)


@pytest.fixture(scope="module", params=["synthetic", "real"])
def sounds(request: pytest.FixtureRequest) -> Sounds:
    if request.param == "synthetic":
        melody = list(violin_takes(5 * SECONDS))[3]
        return Sounds(level(melody.audio), level(next(fire_takes(5 * SECONDS)).audio))
    folder: Path = request.getfixturevalue("real_recordings")
    names = ("Oboe_C#-61", "FluteA#5-69", "ensstringsc4-60", "A#2_FrenchHorn1-56", "Oboe_A5-81")
    notes = [recording(folder / "musical" / f"{name}.wav") for name in names]
    return Sounds(
        level(np.concatenate(notes)), level(recording(folder / "nonmusical" / "fire_small.ogg"))
    )


def recording(file: Path) -> np.ndarray:
    audio, rate = soundfile.read(file, dtype="float32")
    return soxr.resample(audio, rate, RATE)


def level(audio: np.ndarray) -> np.ndarray:
    """Crop to four seconds and to an RMS of -24 dBFS."""
    audio = np.asarray(audio[: SECONDS * RATE], np.float64)
    return damage.single(audio * 10 ** (-24 / 20) / np.sqrt(np.mean(audio**2)))


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
def test_a_reference_against_itself_is_the_best_there_is(sounds: Sounds, role: str) -> None:
    audio, reference = sounds.reference(role)
    measured = reference.compare(audio)
    assert measured == pytest.approx({name: METRICS[name].best for name in measured}, abs=1e-6)


# By which damage each metric must be worse at least than by none, and how far off noise is.
NOISE = {
    "musical_spectral_distance": 5.0,
    "musical_f0_error": 1200.0,
    "musical_voicing_error": 0.8,
    "musical_loudness_correlation": 0.1,
    "musical_timbre_mmd": 0.9,
    "nonmusical_texture_mmd": 0.9,
    "nonmusical_modulation_distance": 6.0,
    "nonmusical_onset_error": 2.0,
}


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
def test_white_noise_is_far_off_by_every_metric(sounds: Sounds, role: str) -> None:
    audio, reference = sounds.reference(role)
    for name, value in reference.compare(damage.white_noise(audio)).items():
        assert value is not None
        limit = NOISE[name]
        far = value <= limit if METRICS[name].better == "higher" else value >= limit
        assert far, (name, value)


# Damage in grades, from nothing on, and what must see it.
GRADES: list[tuple[Callable[..., np.ndarray], tuple[float, ...], tuple[str, ...]]] = [
    (damage.low_pass, (10_000, 5000, 2500, 1250), (
        "musical_spectral_distance", "musical_timbre_mmd",
        "nonmusical_texture_mmd", "nonmusical_modulation_distance",
    )),
    (damage.hiss, (40, 30, 20, 10), (
        "musical_spectral_distance", "musical_timbre_mmd",
        "nonmusical_texture_mmd", "nonmusical_modulation_distance",
    )),
    (damage.clicks, (1, 4, 16, 64), (
        "musical_spectral_distance", "musical_timbre_mmd",
        "nonmusical_texture_mmd", "nonmusical_modulation_distance", "nonmusical_onset_error",
    )),
    (damage.pitch_shift, (10, 30, 100, 300), (
        "musical_spectral_distance", "musical_f0_error", "musical_timbre_mmd",
    )),
    (damage.dropouts, (0.02, 0.05, 0.1, 0.2), (
        "musical_spectral_distance", "musical_voicing_error", "musical_loudness_correlation",
        "musical_timbre_mmd", "nonmusical_texture_mmd", "nonmusical_modulation_distance",
    )),
    (damage.blur, (0.5, 1, 2, 4), (
        "musical_timbre_mmd",
        "nonmusical_texture_mmd", "nonmusical_modulation_distance", "nonmusical_onset_error",
    )),
]  # fmt: skip


@pytest.mark.parametrize(
    ("damaged", "grades", "seen_by"), GRADES, ids=[grade[0].__name__ for grade in GRADES]
)
def test_more_damage_is_worse(
    sounds: Sounds,
    damaged: Callable[..., np.ndarray],
    grades: tuple[float, ...],
    seen_by: tuple[str, ...],
) -> None:
    for role in ("musical", "nonmusical"):
        audio, reference = sounds.reference(role)
        names = [name for name in seen_by if name.startswith(role)]
        if not names:
            continue
        found = [reference.compare(audio)]
        found += [reference.compare(damaged(audio, grade)) for grade in grades]
        for name in names:
            series = [one[name] for one in found]
            assert None not in series, name
            worse = np.diff(series) * (1 if METRICS[name].better == "lower" else -1)
            assert (worse > -1e-3).all(), (name, series)
            assert worse.sum() > 0.02, (name, series)


def test_the_trap_of_the_adversarial_phase(sounds: Sounds) -> None:
    """Blur is nearer by its spectra than sharp sound of other phases, and must not win by that."""
    for role, deviations in (("musical", (2, 5)), ("nonmusical", (4, 1))):
        audio, reference = sounds.reference(role)
        blurred, sharp = damage.blur(audio, 1.5), damage.phase_deviations(audio, *deviations)
        assert 1.2 * spectral_distance(audio, blurred) < spectral_distance(audio, sharp), role
        (name,) = (name for name in METRICS if name.startswith(role) and name.endswith("_mmd"))
        found = {kind: reference.compare(a)[name] for kind, a in (("b", blurred), ("s", sharp))}
        assert 4 * found["s"] < found["b"], (role, found)


def test_another_course_of_a_texture_is_nearer_to_it_than_the_blurred_same_course(
    sounds: Sounds,
) -> None:
    half = len(sounds.texture) // 2
    same, other = sounds.texture[:half], sounds.texture[half:]
    reference = TextureReference(same)
    rivals = sounds.musical, damage.white_noise(same), damage.blur(same, 2)
    found = [reference.compare(audio)["nonmusical_texture_mmd"] for audio in (other, *rivals)]
    assert None not in found
    assert 2 * found[0] < min(found[1:]), found


# Morphs


def paths(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Give known ways from one sound to the other."""
    even = [damage.spectral_morph(a, b, amount) for amount in AMOUNTS]
    gap = list(even)
    gap[8:13] = [damage.dropouts(point, 0.2) for point in even[8:13]]
    foreign = list(even)
    detour = damage.white_noise(a)
    foreign[7:14] = [damage.spectral_morph(point, detour, 0.7) for point in even[7:14]]
    yield "even", even
    yield "crossfade", [damage.crossfade(a, b, amount) for amount in AMOUNTS]
    yield "switch", [a if amount < 0.5 else b for amount in AMOUNTS]
    yield "gap", gap
    yield "foreign", foreign
    yield "clicks", [even[0], *(damage.clicks(point, 8) for point in even[1:-1]), even[-1]]
    yield "half", [damage.spectral_morph(a, b, 0.25 + amount / 2) for amount in AMOUNTS]
    yield "swapped", even[::-1]


def test_morphs_are_told_apart(sounds: Sounds) -> None:
    length = min(len(sounds.musical), len(sounds.texture))
    a, b = sounds.musical[:length], sounds.texture[:length]
    reference = MorphReference(a, b)
    found = {name: reference.compare(iter(path))[0] for name, path in paths(a, b)}

    def of(metric: str, *names: str) -> list[float]:
        values = [found[name][f"morph_{metric}"] for name in names]
        assert None not in values
        return values

    even, crossfade, switch = of("unevenness", "even", "crossfade", "switch")
    assert 2 * even < crossfade < 1.5 < 4 < switch
    assert even < 0.3
    even, crossfade, gap, foreign = of("path_ratio", "even", "crossfade", "gap", "foreign")
    assert even < crossfade < gap < foreign
    assert even < 1.15 < 1.18 < crossfade < 1.3 < gap
    even, crossfade, switch, foreign = of("monotonicity", "even", "crossfade", "switch", "foreign")
    assert foreign < 0.9 < 0.99 < min(even, crossfade, switch)
    even, crossfade, half, swapped = of("endpoint_distance", "even", "crossfade", "half", "swapped")
    assert crossfade == 0
    assert even < 0.25 < 0.3 < half < 0.6 < 0.9 < swapped
    sound = ("even", "crossfade", "switch", "half", "swapped")
    (gap,) = of("dropouts", "gap")
    assert max(of("dropouts", *sound, "foreign", "clicks")) == 0 < 0.02 < gap
    assert max(of("flux_spikes", *sound)) < 0.05 < 0.3 < min(of("flux_spikes", "gap", "clicks"))


# Artifacts


def test_good_recordings_have_no_artifacts(sounds: Sounds) -> None:
    for audio in (sounds.musical, sounds.texture):
        for ratio in (512, 1024, 2048):
            found = artifacts(audio, ratio)
            assert found["clicks"] == found["non_finite"] == found["clipped"] == 0
            assert found["frame_buzz"] < 4
            assert found["dc_offset"] < 0.01
            assert found["silent"] < 0.1


def test_a_buzz_and_clicks_of_blocks_are_found_in_any_recording(sounds: Sounds) -> None:
    for audio in (sounds.musical, sounds.texture):
        buzzes = [artifacts(damage.buzz(audio, 2048, db), 2048)["frame_buzz"] for db in (-20, -10)]
        assert 6 < buzzes[0] < buzzes[1]
        for block in (1024, 2048):
            clicked = artifacts(damage.block_clicks(audio, block, 0.4), 2048)["clicks"]
            assert clicked == pytest.approx(RATE / block, rel=0.2)
        sparse = artifacts(damage.block_clicks(audio, 2048, 0.4, every=5), 2048)["clicks"]
        assert sparse == pytest.approx(RATE / 2048 / 5, rel=0.3)
        assert artifacts(damage.clicks(audio, 20), 2048)["clicks"] == 0
