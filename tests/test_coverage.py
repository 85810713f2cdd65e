"""What recordings cover: counting what sounds, the grids, the gaps in words and the picture."""

import json
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from morphene_core.audio.coverage import (
    Counts,
    Coverage,
    coverage_counter,
    coverage_of,
    merge_counts,
)
from morphene_core.audio.coverage.gaps import find_gaps, note_words, texture_words
from morphene_core.audio.pictures import coverage_png
from morphene_core.home import Role
from morphene_core.instruments.definition import Instrument, midi_number
from morphene_core.synthesis import fire_takes, violin_takes

RATE = 48_000


def instrument(**changes: Any) -> Instrument:
    fields = {
        "number": 10, "slug": "pyroviolin", "name": "Pyroviolin", "tier": "flagship",
        "musical_source": "violin", "nonmusical_source": "fire", "idea": "It burns.",
        "lowest_note": "G3", "highest_note": "E7", "techniques": ("arco",),
        "articulations": ("legato",), "dynamics": ("pp", "p", "mf", "f", "ff"),
        "texture": "granular", "variety": ("embers",), "avoid": ("birds",), "risks": "None.",
    }  # fmt: skip
    return Instrument(**{**fields, **changes})


def count(role: Role, audio: np.ndarray, rate: int = RATE, block: int = 65_536) -> Counts:
    counter = coverage_counter(role, rate)
    for start in range(0, len(audio), block):
        counter.feed(audio[start : start + block].astype(np.float32))
    return counter.result()


def tone(note: str, seconds: float = 1.0, level: float = -20.0, rate: int = RATE) -> np.ndarray:
    """A sawtooth of a level in dBFS RMS, between 50 ms of silence, with soft edges."""
    moments = np.arange(round(seconds * rate)) / rate
    hertz = 440 * 2 ** ((midi_number(note) - 69) / 12)
    wave = sum(
        np.sin(2 * np.pi * hertz * k * moments) / k for k in range(1, 8) if hertz * k < rate / 2
    )
    wave *= 10 ** (level / 20) / np.sqrt(np.mean(wave**2))
    edge = np.minimum(1, np.minimum(moments, moments[::-1]) / 0.02)
    silence = np.zeros(round(0.05 * rate))
    return np.concatenate([silence, wave * edge, silence])


def noise(seconds: float, exponent: float = 0.0, level: float = -20.0) -> np.ndarray:
    """Noise whose power falls with the frequency to an exponent: 1 is pink, 2 is brown."""
    length = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(length))
    bins = np.maximum(np.arange(len(spectrum)), 20 * seconds)
    wave = np.fft.irfft(spectrum * bins ** (-exponent / 2), length)
    return np.asarray(wave * 10 ** (level / 20) / np.sqrt(np.mean(wave**2)))


def clicks(per_second: float, seconds: float = 10.0) -> np.ndarray:
    audio, decay = noise(seconds, level=-60.0), np.exp(-np.arange(2400) / 300)
    for i in range(round(per_second * seconds)):
        start = int((i + 0.5) / per_second * RATE)
        burst = noise(0.05, level=-10.0) * decay
        audio[start : start + 2400] += burst[: len(audio) - start]
    return audio


def played(counts: Counts) -> dict[int, float]:
    """Return the seconds of each note."""
    seconds: dict[int, float] = {}
    for key, frames in counts["notes"].items():
        note = int(key.split(":")[0])
        seconds[note] = seconds.get(note, 0) + frames * 0.05
    return seconds


# Counting notes --------------------------------------------------------------------------------


def test_a_note_is_counted_for_its_duration_at_its_level() -> None:
    counts = count("musical", tone("A4", seconds=3.0, level=-23.0))
    assert counts["onsets"] == 1
    assert counts["seconds"] == pytest.approx(3.1, abs=0.01)
    assert played(counts)[69] == pytest.approx(3.0, abs=0.11)
    assert counts["notes"]["69:-23"] > 50


@pytest.mark.parametrize("note", ["A0", "E1", "Bb1", "G3", "C6", "E7", "C8"])
@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
def test_notes_from_bass_to_piccolo_are_counted_at_any_sample_rate(note: str, rate: int) -> None:
    if rate == 8000 and note == "C8":
        return  # there is none in 4 kHz
    seconds = played(count("musical", tone(note, rate=rate), rate))
    assert seconds.keys() == {midi_number(note)}
    assert seconds[midi_number(note)] > 0.75


def test_levels_are_those_of_the_recording() -> None:
    loud, soft = (count("musical", tone("D4", level=level)) for level in (-10.0, -50.0))
    assert {key.split(":")[1]: n for key, n in loud["notes"].items() if n > 3}.keys() == {"-10"}
    assert {key.split(":")[1]: n for key, n in soft["notes"].items() if n > 3}.keys() == {"-50"}
    assert played(loud) == played(soft)


def test_what_rings_on_does_not_pass_for_soft_notes() -> None:
    ringing = tone("G4", seconds=3.0)
    moments = np.arange(len(ringing)) / RATE
    ringing *= 10 ** (-50 / 20 * np.maximum(moments - 1, 0))  # a room with an RT60 of 1.2 s
    levels = {int(key.split(":")[1]) for key in count("musical", ringing)["notes"]}
    assert min(levels) >= -29


def test_a_slow_diminuendo_counts_down_to_its_end() -> None:
    fading = tone("G4", seconds=4.0)
    fading *= 10 ** (-8 / 20 * np.arange(len(fading)) / RATE)
    levels = {int(key.split(":")[1]) for key in count("musical", fading)["notes"]}
    assert levels >= set(range(-46, -20))


def test_vibrato_does_not_reach_the_neighbours() -> None:
    moments = np.arange(5 * RATE) / RATE
    phase = 440 * (moments + 0.018 / (2 * np.pi * 5.5) * np.sin(2 * np.pi * 5.5 * moments))
    audio = 0.1 * sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 8))
    assert played(count("musical", audio)).keys() == {69}  # it wanders by 31 cents to either side


def test_noise_silence_and_fire_hold_no_notes() -> None:
    fire = next(fire_takes(40.0)).audio
    for audio in (noise(10.0), noise(10.0, 2.0), np.zeros(10 * RATE), fire):
        assert sum(played(count("musical", audio)).values()) < 0.2


def test_onsets_are_those_of_the_notes() -> None:
    notes = ["G3", "A3", "A3", "E4", "C5", "C5", "G4", "E5", "E6", "D4"]
    pauses = np.zeros(RATE // 4)
    audio = np.concatenate([np.append(tone(note, 0.3), pauses) for note in notes])
    hiss = noise(len(audio) / RATE, level=-65.0)
    assert count("musical", hiss)["onsets"] == 1  # where it begins
    assert count("musical", audio)["onsets"] == len(notes)
    assert count("musical", audio + hiss)["onsets"] == len(notes) + 1


def test_the_violin_is_found_in_its_range() -> None:
    counts = [count("musical", take.audio) for take in violin_takes(60.0)]
    coverage = coverage_of(instrument(), "musical", counts)
    inside = sum(coverage.seconds_per_row.values())
    assert 40 < inside < 60
    assert sum(coverage.outside.values()) < 0.01 * inside
    assert 40 < coverage.onsets < 120


# Counting textures -----------------------------------------------------------------------------


def row_of(counts: Counts) -> str:
    coverage = coverage_of(instrument(), "nonmusical", [counts])
    return max(coverage.seconds_per_row, key=lambda row: coverage.seconds_per_row[row])


def column_of(counts: Counts) -> str:
    coverage = coverage_of(instrument(), "nonmusical", [counts])
    return coverage.columns[int(np.argmax(np.sum(coverage.seconds, axis=0)))]


@pytest.mark.parametrize(
    ("exponent", "row"), [(0.0, "brilliant"), (1.0, "bright"), (2.0, "mid"), (3.0, "dark")]
)
@pytest.mark.parametrize("level", [-60.0, -10.0])
def test_noise_is_as_bright_as_its_colour_at_any_level(
    exponent: float, row: str, level: float
) -> None:
    counts = count("nonmusical", noise(5.0, exponent, level))
    assert row_of(counts) == row
    assert column_of(counts) == "steady"
    heard = level - 3 * (not exponent)  # half of white noise lies above 12 kHz
    assert sum(counts["levels"].get(f"{heard + d:.0f}", 0) for d in (-1, 0, 1)) >= 4


@pytest.mark.parametrize(
    ("rate", "column"), [(1, "sparse"), (2, "sparse"), (4, "moderate"), (8, "dense"), (15, "dense")]
)
def test_density_is_the_number_of_events_in_a_second(rate: int, column: str) -> None:
    for gain in (1.0, 0.02):
        counts = count("nonmusical", gain * clicks(rate))
        assert counts["onsets"] == pytest.approx(10 * rate, abs=1)
        assert column_of(counts) == column


def test_digital_silence_is_no_texture() -> None:
    audio = np.concatenate([noise(3.0, level=-40.0), np.zeros(5 * RATE), noise(2.0, level=-40.0)])
    counts = count("nonmusical", audio)
    assert counts["seconds"] == 10
    assert sum(counts["windows"].values()) == sum(counts["levels"].values()) == 5


def test_a_file_of_a_single_short_hit_counts() -> None:
    counts = count("nonmusical", clicks(1, 1.0)[int(0.45 * RATE) : int(0.75 * RATE)])
    assert sum(counts["windows"].values()) == 1


# Counting both ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def takes() -> dict[Role, np.ndarray]:
    violin = np.concatenate([take.audio for take in violin_takes(24.0)])
    fire = np.concatenate([take.audio for take in fire_takes(24.0)])
    return {"musical": violin, "nonmusical": fire}


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 24 * 44_100), max_size=8))
def test_the_counts_do_not_depend_on_the_blocks(
    takes: dict[Role, np.ndarray], role: Role, cuts: list[int]
) -> None:
    counter = coverage_counter(role, 44_100)
    for block in np.split(takes[role], sorted(cuts)):
        counter.feed(block)
    assert counter.result() == count(role, takes[role], 44_100, 1 << 24)


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
def test_counts_are_small_plain_data_and_add_up(takes: dict[Role, np.ndarray], role: Role) -> None:
    first, second = count(role, takes[role]), count(role, takes[role] * 0.3)
    assert json.loads(json.dumps(first)) == first
    assert len(json.dumps(first)) < 10_000
    total = merge_counts(role, [first, second])
    assert total == merge_counts(role, [second, merge_counts(role, [first])])
    assert total["onsets"] == first["onsets"] + second["onsets"]
    assert total["seconds"] == pytest.approx(first["seconds"] + second["seconds"])


def test_counts_of_the_other_role_are_refused() -> None:
    with pytest.raises(ValueError, match="nonmusical"):
        merge_counts("musical", [count("nonmusical", noise(1.0))])


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
@pytest.mark.parametrize("samples", [0, 1, 100, 47_999])
def test_recordings_of_any_length_can_be_counted(role: Role, samples: int) -> None:
    counts = count(role, noise(1.0)[:samples])
    assert counts["seconds"] == pytest.approx(samples / RATE, abs=1e-3)


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
def test_damaged_samples_do_no_harm(role: Role) -> None:
    audio = tone("A4", 3.0).astype(np.float32)
    audio[1000:1010] = [np.nan, np.inf, -np.inf, 1e30, -1e30, 3e38, 0, 0, 0, 0]
    json.dumps(count(role, audio), allow_nan=False)


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
def test_counting_keeps_up_with_reading(takes: dict[Role, np.ndarray], role: Role) -> None:
    audio = np.tile(takes[role], 3)
    start = time.process_time()
    count(role, audio)
    assert (time.process_time() - start) / (len(audio) / RATE) < 36 / 3600  # three times the goal


# The grids -------------------------------------------------------------------------------------


def notes(cells: dict[tuple[str, int], float]) -> Counts:
    """Counts of notes by note and level, given in seconds."""
    frames = {f"{midi_number(n)}:{level}": round(s / 0.05) for (n, level), s in cells.items()}
    return {"role": "musical", "seconds": 60.0, "onsets": 7, "notes": frames}


def test_dynamics_are_relative_to_the_loudest_notes() -> None:
    ends = {"ff": 0, "f": -6, "mf": -13, "p": -20, "pp": -30}
    cells = {("A4", level): 1.0 for level in ends.values()}
    for gain in (0, -25):
        shifted = notes({(n, level + gain): s for (n, level), s in cells.items()})
        coverage = coverage_of(instrument(), "musical", [shifted])
        row = coverage.rows.index("A4")
        assert coverage.seconds[row] == (1.0,) * 5
        assert coverage.levels_dbfs[-1] == gain - 5
        assert sum(map(sum, coverage.covered)) == 5


def test_a_few_louder_frames_do_not_shift_the_dynamics() -> None:
    cells = {("A4", -20): 99.0, ("A4", 0): 1.0}
    coverage = coverage_of(instrument(), "musical", [notes(cells)])
    assert coverage.levels_dbfs[-1] == -25


def test_hum_far_below_the_notes_is_not_the_softest_dynamic() -> None:
    cells = {("A4", -10): 10.0, ("G#3", -60): 100.0, ("A4", -11): 500.0}
    coverage = coverage_of(instrument(), "musical", [notes(cells)])
    assert coverage.seconds_per_row["G#3"] == 0


def test_a_cell_is_covered_from_half_a_second_on() -> None:
    coverage = coverage_of(
        instrument(), "musical", [notes({("A4", -20): 0.45}), notes({("B4", -20): 0.5})]
    )
    assert [coverage.rows[row] for row in np.flatnonzero(np.any(coverage.covered, axis=1))] == [
        "B4"
    ]
    assert coverage.percentage == pytest.approx(100 / 46 / 5)


def test_notes_outside_the_range_are_reported_apart() -> None:
    cells = {("A4", -20): 1.0, ("E2", -5): 3.0, ("F7", -5): 2.0}
    coverage = coverage_of(instrument(), "musical", [notes(cells)])
    assert coverage.outside == {"E2": 3.0, "F7": 2.0}
    assert coverage.levels_dbfs[-1] == -25  # the loudest notes are looked for inside


@pytest.mark.parametrize(
    ("texture", "densities"),
    [("stationary", 1), ("granular", 3), ("impulsive", 2), ("pitched", 2), ("modulated", 3)],
)
def test_the_expected_densities_follow_from_the_kind_of_texture(
    texture: str, densities: int
) -> None:
    coverage = coverage_of(instrument(texture=texture), "nonmusical", [])
    assert np.sum(coverage.expected) == 3 * densities
    assert coverage.percentage == 0


def test_seconds_that_nobody_asks_for_count_neither_for_nor_against() -> None:
    windows = {f"{band}:{n}": 9 for band in (0, 3, 5) for n in (1, 3, 6)}
    counts = {"role": "nonmusical", "seconds": 99.0, "onsets": 1, "windows": windows, "levels": {}}
    complete = coverage_of(instrument(), "nonmusical", [counts])
    more = {**counts, "windows": {**windows, "-9:0": 50, "8:9": 50}}
    assert complete.percentage == coverage_of(instrument(), "nonmusical", [more]).percentage == 100
    assert complete.gaps == ()


@pytest.mark.parametrize("role", ["musical", "nonmusical"])
def test_without_recordings_nothing_is_covered(role: Role) -> None:
    coverage = coverage_of(instrument(), role, [])
    assert coverage.gaps == ("nothing recorded yet",)
    assert coverage.percentage == 0
    assert coverage.levels_dbfs == ()


def test_recordings_without_a_note_are_not_called_nothing() -> None:
    coverage = coverage_of(instrument(), "musical", [notes({})])
    assert coverage.gaps == ("no single note heard for long enough yet",)


def test_a_coverage_is_plain_data() -> None:
    for role, counts in (("musical", notes({("A4", -20): 1.0})), ("nonmusical", None)):
        coverage = coverage_of(instrument(), role, [counts] if counts else [])  # type: ignore[arg-type]
        data = json.loads(json.dumps(coverage.to_json(), allow_nan=False))
        assert data["percentage"] == round(coverage.percentage, 1)
        assert data["rows"] == list(coverage.rows)


# The gaps --------------------------------------------------------------------------------------

NOTES = ["C4", "D4", "E4", "F4", "G4", "A4", "B4"]
DYNAMICS = ["pp", "p", "mf", "f", "ff"]


def note_gaps(picture: str) -> list[str]:
    """Read a grid drawn with a line per note, the highest first, and # where it is covered."""
    empty = np.array([[cell == "." for cell in line] for line in picture.split()])[::-1]
    return [note_words(gap, NOTES, DYNAMICS) for gap in find_gaps(empty, 5)]


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("##### ##### ##### ##### ##### ##### #####", []),
        ("..... ..... ..... ..... ..... ..... .....", ["no single note heard for long enough yet"]),
        ("##### ##### ##### ##### ##### ###.. ###..", ["nothing below E4 louder than mf"]),
        (".#### .#### .#### .#### .#### .#### .####", ["nothing at pp"]),
        ("####. ####. ####. ####. ####. ####. ####.", ["nothing at ff"]),
        ("..... ..... ##### ##### ##### ##### #####", ["nothing above G4"]),
        ("##### ##### ##### ##### ..#.. ..#.. ..#..", ["only mf below F4"]),
        ("##### ##### ..##. ..##. ..##. ##### #####", ["only mf to f from E4 to G4"]),
        (".#### .#### ##### ##### ##### .#### .####", ["only E4 to G4 at pp"]),
        ("##### ##### ##### ##.## ##### ##### #####", ["no F4 at mf"]),
        ("##### ##### ##### ..... ##### ##### #####", ["no F4"]),
        ("##### ##### #..## #..## ##### ##### #####", ["nothing from F4 to G4 from p to mf"]),
        (
            "..... ##### ##### ##### ##### ####. ####.",
            ["no B4", "nothing below E4 at ff"],
        ),
        (
            "..... ..... .#### .#### .#### .#### .###.",
            ["nothing above G4", "nothing at pp", "no C4 at ff"],
        ),
    ],
)  # fmt: skip
def test_gaps_of_notes_are_said_in_a_few_words(picture: str, words: list[str]) -> None:
    assert note_gaps(picture) == words


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ("### ### ##.", ["nothing bright and dense"]),
        ("... ### ###", ["nothing dark"]),
        ("##. ##. ##.", ["nothing dense"]),
        ("### .#. ###", ["mid only moderate"]),
        ("##. ### ##.", ["dense only mid"]),
        ("### #.. #..", ["nothing mid to bright and moderate to dense"]),
        ("... ... ...", ["nothing of what is expected yet"]),
    ],
)
def test_gaps_of_textures_are_said_in_a_few_words(picture: str, words: list[str]) -> None:
    empty = np.array([[cell == "." for cell in line] for line in picture.split()])
    names = ["dark", "mid", "bright"], ["sparse", "moderate", "dense"]
    assert [texture_words(gap, *names) for gap in find_gaps(empty, 5)] == words


def grids() -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, 12), st.integers(1, 8))
    return shapes.flatmap(
        lambda shape: st.lists(
            st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]
        ).map(lambda cells: np.array(cells).reshape(shape))
    )


@settings(max_examples=150, deadline=None)
@given(empty=grids(), limit=st.integers(1, 200))
def test_the_gaps_hold_all_that_is_missing_and_nothing_else(empty: np.ndarray, limit: int) -> None:
    gaps = find_gaps(empty, limit)
    told = np.zeros(empty.shape, bool)
    news = []
    for gap in gaps:
        cells = np.ix_(gap.rows, gap.columns)
        assert empty[cells].all()
        news.append(int((~told[cells]).sum()))
        told[cells] = True
    assert len(gaps) == limit or (told == empty).all()
    assert len(gaps) <= limit
    assert all(news)
    assert news == sorted(news, reverse=True)


@settings(max_examples=100, deadline=None)
@given(empty=grids())
def test_every_gap_has_words_of_its_own(empty: np.ndarray) -> None:
    rows, columns = [f"N{i}" for i in range(12)], [f"d{i}" for i in range(8)]
    names = rows[: empty.shape[0]], columns[: empty.shape[1]]
    gaps = find_gaps(empty, 100)
    for words in (note_words, texture_words):
        sentences = [words(gap, *names) for gap in gaps]
        assert len(set(sentences)) == len(sentences)


# The picture -----------------------------------------------------------------------------------


def reddish(coverage: Coverage) -> float:
    """Return the part of a picture's coloured pixels that say "missing"."""
    png = coverage_png(coverage, "coverage")
    assert len(png) < 60_000
    image = np.asarray(Image.open(BytesIO(png)).convert("RGB")).astype(int)[60:, :820]
    assert image.shape[1] == 820
    missing = (np.abs(image - [243, 201, 191]) < 12).all(axis=2)
    blue = image[..., 2] - image[..., 0] > 40
    return float(missing.sum() / max(missing.sum() + blue.sum(), 1))


def filled(lines: Iterator[int]) -> Counts:
    return notes({(note, level): 30.0 for level in lines for note in chromatic("G3", "E7")})


def chromatic(low: str, high: str) -> list[str]:
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    numbers = range(midi_number(low), midi_number(high) + 1)
    return [f"{names[number % 12]}{number // 12 - 1}" for number in numbers]


def test_the_picture_shows_how_much_is_missing() -> None:
    complete = coverage_of(instrument(), "musical", [filled(iter(range(-40, 0)))])
    half = coverage_of(instrument(), "musical", [filled(iter(range(-12, 0)))])
    nothing = coverage_of(instrument(), "musical", [])
    assert complete.percentage == 100
    assert reddish(complete) < 0.01
    assert reddish(half) == pytest.approx(1 - half.percentage / 100, abs=0.05)
    assert reddish(nothing) > 0.99


@pytest.mark.parametrize("texture", ["stationary", "granular", "impulsive", "pitched", "modulated"])
def test_every_kind_of_texture_can_be_drawn(texture: str) -> None:
    fire = [count("nonmusical", take.audio) for take in fire_takes(8.0)]
    for counts in ([], fire):
        coverage = coverage_of(instrument(texture=texture), "nonmusical", counts)
        assert coverage_png(coverage, "fire").startswith(b"\x89PNG")


def test_the_widest_instrument_can_be_drawn() -> None:
    piano = instrument(lowest_note="A0", highest_note="C8", dynamics=("ppp", "pp", "mf", "fff"))
    coverage_png(coverage_of(piano, "musical", [notes({("A0", -20): 1.0})]), "piano $x_{")
