"""What each metric says of sounds whose difference is known exactly, and of broken ones."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morphene_core.audio.spectral import SpectralReference, spectral_distance
from morphene_core.metrics import (
    ARTIFACTS,
    METRICS,
    MorphReference,
    MusicalReference,
    TextureReference,
    artifacts,
)
from tests import damage

pytestmark = pytest.mark.filterwarnings("error")

RATE = 48_000


def noise(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return damage.single(0.1 * samples)


def tone(hertz: float, seconds: float = 2.0) -> np.ndarray:
    """Return a tone with harmonics that swells and fades four times a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 8))
    return damage.single(0.1 * wave * (1 + 0.8 * np.sin(2 * np.pi * 4 * time)))


def grains(per_second: float, seconds: float = 4.0) -> np.ndarray:
    """Return even crackle: bursts of noise of 10 ms over a faint bed."""
    audio = 0.01 * noise(seconds, 1)
    burst = 5 * noise(0.01, 2) * np.exp(-np.linspace(0, 5, 480))
    for start in np.arange(0.1, seconds - 0.1, 1 / per_second):
        at = round(start * RATE)
        audio[at : at + 480] += burst
    return damage.single(audio)


def broken(kind: str, seconds: float) -> np.ndarray:
    audio = noise(seconds)
    if kind == "silent":
        audio[:] = 0
    elif kind == "constant":
        audio[:] = 0.3
    elif kind == "not a number":
        audio[::7] = np.nan
    elif kind == "infinite":
        audio[::5], audio[1::5] = np.inf, -np.inf
    elif kind == "enormous":
        audio *= 1e30
    elif kind == "denormal":
        audio *= 1e-39
    elif kind == "one sample":
        audio[1:] = 0
    return audio


KINDS = (
    "noise", "silent", "constant", "not a number", "infinite", "enormous", "one sample", "denormal",
)  # fmt: skip


# All together


def test_the_catalogue_names_what_is_measured_in_this_order() -> None:
    points = [noise(seed=i) for i in range(3)]
    measured = [
        *MusicalReference(tone(440)).compare(tone(440)),
        *TextureReference(noise()).compare(noise()),
        *MorphReference(tone(440), noise()).compare(points)[0],
    ]
    assert measured == list(METRICS)
    assert list(artifacts(noise(), 2048)) == list(ARTIFACTS)
    assert [name for name, metric in METRICS.items() if metric.name != name] == []
    assert {m.criterion for m in METRICS.values()} == {
        "musical_reconstruction", "nonmusical_reconstruction", "morph_progression",
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    seconds=st.tuples(st.floats(0, 2.0), st.floats(0, 2.0)),
)
def test_whatever_comes_is_measured_or_said_to_be_unmeasurable(
    kinds: tuple[str, str], seconds: tuple[float, float]
) -> None:
    reference, render = (broken(k, s) for k, s in zip(kinds, seconds, strict=True))
    morph, path = MorphReference(reference, noise()).compare([reference, render, noise()])
    found = (
        MusicalReference(reference).compare(render)
        | TextureReference(reference).compare(render)
        | morph
    )
    values = [*found.values(), *artifacts(render, 2048).values(), *itertools.chain(*path.values())]
    assert all(v is None or (isinstance(v, float) and np.isfinite(v)) for v in values), found


def test_the_same_audio_gives_the_same_numbers_and_stays_as_it_is() -> None:
    reference, render = tone(300), damage.hiss(tone(300), 20)
    render[100] = np.nan
    before = render.copy()
    first, second = (MusicalReference(reference) for _ in range(2))
    assert first.compare(render) == first.compare(render) == second.compare(render)
    np.testing.assert_array_equal(render, before)


def test_a_longer_render_is_cropped() -> None:
    for reference in (MusicalReference(tone(330)), TextureReference(noise())):
        sound = tone(330) if isinstance(reference, MusicalReference) else noise()
        longer = np.concatenate([sound, 3 * noise(0.5, 9)])
        assert reference.compare(longer[: len(sound)]) == reference.compare(sound)
        cropped = reference.compare(longer)
        own = {name: METRICS[name].best for name in cropped}
        # The last frames reach beyond the end.
        assert cropped == pytest.approx(own, abs=0.1)


# Musical


def test_a_reference_gives_the_distances_that_are_computed_afresh() -> None:
    reference, other = tone(440), noise()
    once = SpectralReference(reference)
    assert once.distance(other) == spectral_distance(reference, other)
    assert once.distance(other[:50_000]) == spectral_distance(reference, other[:50_000])
    measured = MusicalReference(reference).compare(other)
    assert measured["musical_spectral_distance"] == once.distance(other)


@settings(max_examples=15, deadline=None)
@given(hertz=st.floats(150, 2000), cents=st.floats(-700, 700))
def test_the_pitch_error_is_the_interval(hertz: float, cents: float) -> None:
    reference = MusicalReference(tone(hertz, 0.5))
    measured = reference.compare(tone(hertz * 2 ** (cents / 1200), 0.5))
    assert measured["musical_f0_error"] == pytest.approx(abs(cents), abs=10)
    assert measured["musical_voicing_error"] < 0.1


@pytest.mark.parametrize("hertz", [60, 440, 4300])
@pytest.mark.parametrize("render", ["noise", "silent"])
def test_a_render_without_pitch_is_an_octave_off_and_unvoiced(hertz: float, render: str) -> None:
    measured = MusicalReference(tone(hertz)).compare(broken(render, 2.0))
    assert measured["musical_f0_error"] == 1200
    assert measured["musical_voicing_error"] > 0.8


def test_the_voicing_error_is_the_share_of_time_in_which_only_one_is_voiced() -> None:
    reference = tone(440)
    half = np.concatenate([reference[:RATE], noise(1.0)])
    measured = MusicalReference(reference).compare(half)
    assert measured["musical_voicing_error"] == pytest.approx(0.5, abs=0.05)
    back = MusicalReference(half).compare(reference)
    assert back["musical_voicing_error"] == pytest.approx(0.5, abs=0.05)
    assert back["musical_f0_error"] == pytest.approx(0, abs=0.1)


def test_of_a_reference_without_pitch_there_is_no_pitch_error() -> None:
    measured = MusicalReference(noise()).compare(tone(440))
    assert measured["musical_f0_error"] is None
    assert measured["musical_voicing_error"] > 0.9


def test_the_loudness_correlation_follows_the_swells_at_any_level() -> None:
    time = np.arange(3 * RATE) / RATE
    swell = 10 ** (0.5 * np.sin(2 * np.pi * time))
    reference = MusicalReference(damage.single(noise(3) * swell))

    def correlation(audio: np.ndarray) -> float | None:
        return reference.compare(damage.single(audio))["musical_loudness_correlation"]

    other = noise(3, 1)
    assert correlation(0.1 * other * swell) > 0.99
    assert correlation(other / swell) < -0.99
    assert abs(correlation(other * np.roll(swell, RATE // 4))) < 0.1
    assert correlation(np.zeros(3 * RATE)) == 0


def test_a_level_that_never_moves_cannot_be_followed() -> None:
    steady = damage.single(0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE))
    assert MusicalReference(steady).compare(tone(440))["musical_loudness_correlation"] is None


def test_nothing_can_be_measured_against_silence() -> None:
    silence = np.zeros(RATE, np.float32)
    assert set(MusicalReference(silence).compare(noise(1.0)).values()) == {None}
    assert set(TextureReference(silence).compare(noise(1.0)).values()) == {None}


# Distributions


def mmd(reference: np.ndarray, render: np.ndarray) -> float:
    measured = TextureReference(reference).compare(render)["nonmusical_texture_mmd"]
    assert measured is not None
    return measured


def test_the_mmd_is_unbiased_another_take_of_the_same_noise_is_at_zero_on_average() -> None:
    found = np.array([mmd(noise(1.5, i), noise(1.5, 100 + i)) for i in range(24)])
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(len(found))
    assert found.min() < 0 < found.max()
    assert np.abs(found).max() < 0.02


def test_the_mmd_does_not_ask_when_something_comes_nor_how_loud_it_is_recorded() -> None:
    take = np.concatenate([noise(1.5), tone(440, 1.5), damage.low_pass(noise(1.5, 3), 1000)])
    turned = np.roll(take, round(1.5 * RATE))
    assert mmd(take, 0.3 * turned) == pytest.approx(mmd(take, turned), abs=1e-3)
    assert mmd(take, turned) < 0.1 < mmd(take, np.tile(noise(1.5, 3), 3))


@settings(max_examples=10, deadline=None)
@given(gain=st.floats(0.05, 5.0))
def test_the_mmd_does_not_depend_on_the_level_of_the_render(gain: float) -> None:
    assert mmd(grains(8), gain * grains(8)) == pytest.approx(0, abs=1e-4)


def test_the_mmd_of_a_long_reference_is_that_of_a_part_of_its_frames() -> None:
    long = noise(30.0)
    assert mmd(long, long) == pytest.approx(0, abs=1e-6)
    assert mmd(long, damage.low_pass(long, 2000)) > 0.5


def test_the_modulation_distance_sees_how_fast_it_flutters() -> None:
    time = np.arange(4 * RATE) / RATE

    def flutter(hertz: float, seed: int) -> np.ndarray:
        return damage.single(noise(4, seed) * (1 + np.sin(2 * np.pi * hertz * time)))

    reference = TextureReference(flutter(8, 0))
    found = [
        reference.compare(flutter(hertz, 1))["nonmusical_modulation_distance"]
        for hertz in (8, 10, 24)
    ]
    assert found == sorted(found)
    assert 2 * found[0] < found[2]


@pytest.mark.parametrize(("others", "octaves"), [(4, 0), (8, 1), (2, 1), (12, np.log2(3))])
def test_the_onset_error_is_how_many_times_more_or_fewer_events_begin(
    others: float, octaves: float
) -> None:
    measured = TextureReference(grains(4)).compare(grains(others))
    assert measured["nonmusical_onset_error"] == pytest.approx(octaves, abs=0.15)


# Morphs


def gains(decibels: np.ndarray) -> Iterator[np.ndarray]:
    return (damage.single(noise(1.0) * 10 ** (db / 20)) for db in decibels)


def test_an_even_straight_path_is_perfect() -> None:
    reference = MorphReference(noise(1.0), 10 * noise(1.0))
    metrics, path = reference.compare(gains(np.linspace(0, 20, 21)))
    assert metrics == pytest.approx({name: METRICS[name].best for name in metrics}, abs=0.01)
    steps = np.linspace(0, 1, 21)
    assert path["amount"] == pytest.approx(steps)
    assert path["to_musical"] == pytest.approx(steps, abs=1e-3)
    assert path["to_nonmusical"] == pytest.approx(steps[::-1], abs=1e-3)
    assert path["step"] == pytest.approx([0.05] * 20, abs=1e-3)


def morph(decibels: np.ndarray) -> dict[str, float | None]:
    return MorphReference(noise(1.0), 10 * noise(1.0)).compare(gains(decibels))[0]


def test_a_switch_is_as_uneven_as_can_be_but_straight() -> None:
    switch = morph(np.where(np.arange(21) < 10, 0, 20))
    assert switch["morph_unevenness"] == pytest.approx(np.sqrt(19), abs=1e-3)
    assert switch["morph_path_ratio"] == pytest.approx(1, abs=1e-3)


def test_a_path_that_turns_back_is_longer_and_not_monotone() -> None:
    there_and_back = np.array([0, 2, 4, 6, 8, 10, 8, 6, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20])
    turning = morph(there_and_back)
    assert turning["morph_path_ratio"] == pytest.approx(32 / 20, abs=0.01)
    assert turning["morph_monotonicity"] == pytest.approx(20 / 32, abs=0.01)


def test_another_course_of_the_same_noise_at_each_point_hardly_lengthens_the_path() -> None:
    courses = (damage.single(noise(2.0, seed) * 10 ** (seed / 20)) for seed in range(21))
    metrics, _ = MorphReference(noise(2.0), 10 * noise(2.0, 1)).compare(courses)
    assert metrics["morph_path_ratio"] < 1.5
    assert metrics["morph_monotonicity"] > 0.99


def test_the_end_point_distance_is_that_of_the_end_that_is_farther_off() -> None:
    assert morph(np.linspace(5, 20, 21))["morph_endpoint_distance"] == pytest.approx(0.25, abs=0.01)
    assert morph(np.linspace(2, 10, 21))["morph_endpoint_distance"] == pytest.approx(0.5, abs=0.01)
    assert morph(np.zeros(21))["morph_endpoint_distance"] == pytest.approx(1, abs=0.01)


def test_a_path_that_leads_nowhere_has_no_steps_to_compare() -> None:
    nowhere = morph(np.zeros(21))
    assert nowhere["morph_unevenness"] is None
    assert nowhere["morph_path_ratio"] is None
    assert nowhere["morph_monotonicity"] is None


def test_dropouts_are_counted_where_both_ends_sound() -> None:
    points = list(gains(np.linspace(0, 20, 21)))
    for point in points[1:-1]:
        point[12_000:24_000] *= 0.01  # a quarter of a second
    reference = MorphReference(points[0], points[-1])
    assert reference.compare(points)[0]["morph_dropouts"] == pytest.approx(0.25, abs=0.05)
    points[0][12_000:24_000] *= 0.01
    assert reference.compare(points)[0]["morph_dropouts"] == 0


def test_a_flux_spike_is_an_event_that_neither_end_has_at_that_time() -> None:
    quiet = 0.01 * noise(4.0)
    events = grains(2)
    reference = MorphReference(quiet, 2 * quiet)
    inside = [quiet, *[events] * 19, 2 * quiet]
    assert reference.compare(inside)[0]["morph_flux_spikes"] == pytest.approx(2, abs=0.1)
    later = np.roll(events, 2048)  # 43 ms
    explained = [quiet, *[events] * 19, 2 * later]
    assert reference.compare(explained)[0]["morph_flux_spikes"] == 0


def test_points_are_taken_one_at_a_time() -> None:
    taken = 0

    def points() -> Iterator[np.ndarray]:
        nonlocal taken
        for point in gains(np.linspace(0, 20, 21)):
            taken += 1
            yield point

    MorphReference(noise(1.0), 10 * noise(1.0)).compare(points())
    assert taken == 21


def test_two_points_are_no_path() -> None:
    with pytest.raises(ValueError, match="2 points"):
        MorphReference(noise(1.0), tone(440)).compare([noise(1.0), tone(440)])


# Artifacts


def test_samples_that_are_no_numbers_are_counted_and_hide_nothing_else() -> None:
    audio = damage.single(noise() + 0.25)
    audio[:10] = np.nan
    audio[20:24] = np.inf, -np.inf, np.inf, np.inf
    found = artifacts(audio, 2048)
    assert found["non_finite"] == 14
    assert found["dc_offset"] == pytest.approx(0.25, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(offset=st.floats(-0.5, 0.5))
def test_the_dc_offset_is_the_mean_without_its_sign(offset: float) -> None:
    audio = damage.single(tone(100, 1.0) + offset)
    assert artifacts(audio, 2048)["dc_offset"] == pytest.approx(abs(offset), abs=1e-3)


@pytest.mark.parametrize("level", [1.0, 0.1])
def test_clipping_is_found_at_any_level(level: float) -> None:
    low = damage.low_pass(noise(), 1000)
    low /= low.std()
    assert artifacts(damage.single(low / 8), 2048)["clipped"] == 0
    share = np.mean(np.abs(low) > 1.5)
    clipped = damage.single(level / 1.5 * np.clip(low, -1.5, 1.5))
    assert artifacts(clipped, 2048)["clipped"] == pytest.approx(share, rel=0.1)


def test_what_is_beyond_full_scale_is_clipped() -> None:
    audio = noise()
    audio[::100] = 1.5
    assert artifacts(audio, 2048)["clipped"] == pytest.approx(0.01, abs=1e-4)


def test_a_smooth_tone_at_full_scale_is_not_clipped() -> None:
    for hertz in (20, 440, 12_000):
        wave = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)
        rounded = damage.single(np.rint(wave * (2**23 - 1)) / 2**23)
        assert artifacts(rounded, 2048)["clipped"] == 0


def test_a_plateau_below_the_peak_is_not_clipped() -> None:
    held = noise()
    held[1000:2000] = 0.5 * held.max()
    assert artifacts(held, 2048)["clipped"] == 0


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_silence_is_the_share_of_time_under_80_dbfs(share: float) -> None:
    audio = noise()
    audio[: round(share * len(audio))] *= 1e-4
    assert artifacts(audio, 2048)["silent"] == pytest.approx(share, abs=0.01)


@settings(max_examples=15, deadline=None)
@given(
    grid=st.sampled_from([512, 1024, 2048, 4096]),
    phase=st.integers(0, 4095),
    height=st.floats(1.5, 8),
)
def test_clicks_on_a_grid_of_blocks_are_counted(grid: int, phase: int, height: float) -> None:
    audio = damage.low_pass(noise(3.0), 6000)
    places = np.arange(phase % grid, len(audio), grid)
    audio[places] += height * np.abs(audio).max() * (-1) ** np.arange(len(places))
    assert artifacts(audio, grid)["clicks"] == pytest.approx(RATE / grid, rel=0.1)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 200))
def test_clicks_at_random_places_are_no_fault_of_the_blocks(seed: int, count: int) -> None:
    audio = damage.low_pass(noise(3.0), 6000)
    places = np.random.default_rng(seed).integers(0, len(audio), count)
    audio[places] += 3 * np.abs(audio).max()
    assert artifacts(audio, 2048)["clicks"] == 0


@pytest.mark.parametrize("ratio", [512, 1024, 1999, 2048])
def test_a_buzz_at_the_frame_rate_is_found_and_grows_with_its_level(ratio: int) -> None:
    found = [
        artifacts(damage.buzz(noise(3.0), ratio, level), ratio)["frame_buzz"]
        for level in (-100, -20, -10, 0)
    ]
    assert found[0] < 2
    assert found == sorted(found)
    assert found[2] - found[1] == pytest.approx(10, abs=3)
    assert found[3] - found[2] == pytest.approx(10, abs=1)


@pytest.mark.parametrize("hertz", [41.2, 46.875, 93.75, 117.1875, 440.0])
def test_a_note_is_no_buzz_even_on_a_multiple_of_the_frame_rate(hertz: float) -> None:
    assert artifacts(tone(hertz, 3.0), 2048)["frame_buzz"] < 4
