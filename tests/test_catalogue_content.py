"""What stands in Morphene's own catalogue: complete, true to the instruments, each text its own."""

import re
from collections import Counter
from difflib import SequenceMatcher
from itertools import combinations

import pytest

from morphene_core.instruments import ALL_INSTRUMENTS, Instrument
from morphene_core.instruments.definition import midi_number

# Slugs are permanent: partitions, folders, models and histories are filed under them. A name may
# change; a slug here may not, nor may its place in the catalogue.
SLUGS = (
    "breakwater", "petrichoir", "kettlelark", "october_strings", "pianofrost",
    "night_freight", "clarinectar", "freshet", "moorhorn", "pyroviolin",
    "fanflare", "telegraph_elegy", "keelson", "oboreal", "vibrashard",
    "pebblewood", "culmsong", "gravel_garden", "silk_cicada", "apricot_dune",
    "cardamom", "winnow", "monsitar", "whetstone", "nyckelblade",
    "lungbox", "porchlight", "marshoon", "hammerhail", "cumulobasso",
    "ghost_gate", "longwave", "becquerelle", "celestype", "escapement",
    "catalumeau", "stalagmbira", "kilowatt_chorale", "jackloom", "simmerpan",
    "peat_piper", "dieselphonium", "trambone", "pipistrelle", "bluegrain",
    "tremolira", "anchorite", "marginalia", "greylag", "clavifizz",
)  # fmt: skip

# Sounding ranges, written down before the catalogue's own: for the lowest note and then for the
# highest, the lowest and the highest value that references give. Orchestral instruments and voices:
# general knowledge as orchestration textbooks teach it (they differ in how far a professional or a
# soloist goes), transpositions undone. Keyboards, mallets and free reeds: the compasses that makers
# build. Flute, piccolo, glockenspiel, vibraphone, harpsichord, clavichord and sitar were looked up
# in MuseScore's list of amateur and professional ranges; koto, oud, kora, erhu, nyckelharpa and
# cimbalom in players', makers' and museums' pages on their tunings. Least certain, because
# instruments differ from maker to maker: duduk, mbira, musical saw and theremin.
RANGES: dict[str, tuple[str, str, str, str]] = {
    "accordion": ("F3", "G3", "F6", "C7"),  # right hand, 8-foot
    "banjo": ("C3", "D3", "A5", "D6"),  # five strings; written an octave higher
    "bass clarinet": ("Bb1", "Db2", "G4", "F5"),  # to written C or Eb, in Bb
    "bass voice": ("C2", "F2", "C4", "G4"),
    "bassoon": ("A1", "Bb1", "Bb4", "F5"),
    "celesta": ("F3", "C4", "C8", "F8"),  # written an octave lower
    "cello": ("C2", "C2", "G5", "E6"),
    "chromatic harmonica": ("G3", "C4", "B6", "D7"),  # twelve holes, in C
    "cimbalom": ("A1", "E2", "E6", "A6"),
    "clarinet": ("C#3", "D3", "D6", "Bb6"),  # in Bb or A
    "classical guitar": ("D2", "E2", "A5", "D6"),  # written an octave higher
    "clavichord": ("F1", "C2", "C6", "G6"),
    "cor anglais": ("Eb3", "E3", "G5", "C6"),  # in F
    "double bass": ("C1", "E1", "C4", "B4"),  # written an octave higher
    "duduk": ("E3", "A3", "G#4", "D5"),  # in A
    "erhu": ("D4", "D4", "G6", "F7"),
    "euphonium": ("F1", "E2", "Bb4", "F5"),
    "flute": ("B3", "C4", "C7", "F7"),
    "French horn": ("F#1", "E2", "C5", "A5"),  # in F
    "glockenspiel": ("F5", "G5", "C8", "E8"),  # written two octaves lower
    "harp": ("B0", "D1", "F7", "G#7"),
    "harpsichord": ("E1", "C2", "C6", "G6"),  # 8-foot
    "hurdy-gurdy": ("C4", "G4", "D6", "A6"),  # chanterelles
    "kora": ("E2", "A2", "G5", "C#6"),
    "koto": ("D3", "A3", "A5", "E6"),  # thirteen strings
    "mandolin": ("G3", "G3", "E6", "D7"),
    "marimba": ("C2", "A2", "C7", "C7"),
    "mbira": ("E2", "C3", "E5", "D6"),  # dzavadzimu
    "musical saw": ("G3", "E4", "A5", "G6"),  # tenor blade
    "nyckelharpa": ("C3", "G3", "B5", "G6"),  # C3 is a drone on most
    "oboe": ("Bb3", "Bb3", "E6", "B6"),
    "ondes Martenot": ("C1", "B1", "B6", "A7"),
    "oud": ("C2", "F2", "A4", "G5"),
    "piano": ("A0", "A0", "C8", "C8"),
    "piccolo": ("C5", "D5", "B7", "D8"),  # written an octave lower
    "pipe organ": ("C2", "C2", "F6", "C7"),  # manuals, 8-foot
    "shakuhachi": ("C4", "D4", "C6", "A6"),  # 1.8
    "sitar": ("B1", "A2", "D5", "C#6"),
    "steelpan": ("C4", "D4", "C6", "G6"),  # tenor, or lead
    "tenor saxophone": ("Ab2", "Ab2", "Eb5", "D6"),  # in Bb, a ninth lower; altissimo above F5
    "theremin": ("A1", "G#2", "E6", "C7"),
    "trombone": ("Bb1", "E2", "Bb4", "F5"),
    "trumpet": ("E3", "F#3", "A5", "G6"),  # in Bb or C
    "tubular bells": ("A3", "C4", "F5", "A5"),
    "uilleann pipes": ("C4", "D4", "C6", "E6"),  # chanter in D
    "vibraphone": ("C3", "F3", "F6", "C7"),
    "viola": ("C3", "C3", "A5", "G6"),
    "viola da gamba": ("A1", "D2", "A4", "G5"),  # bass
    "violin": ("G3", "G3", "A6", "G7"),
    "women's choir": ("E3", "G3", "A5", "C6"),
}

LISTS = ("techniques", "articulations", "variety", "avoid")

# The limits of likeness. Over all pairs the catalogue reaches at most the values
# behind them; an entry with only its sources exchanged scores above 0.8.
ALL_TEXTS_LIMIT = 0.015  # 0.009
IDEA_LIMIT = 0.30  # 0.26
RISKS_LIMIT = 0.25  # 0.21

each = pytest.mark.parametrize("instrument", ALL_INSTRUMENTS, ids=lambda i: i.slug)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.lower())


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z\"])", text.strip())


def lines(instrument: Instrument) -> list[str]:
    return [line for field in LISTS for line in getattr(instrument, field)]


def trigrams(instrument: Instrument) -> set[tuple[str, ...]]:
    """All runs of three words, none across two texts."""
    found: set[tuple[str, ...]] = set()
    for text in (instrument.idea, instrument.risks, *lines(instrument)):
        of = words(text)
        found.update(zip(of, of[1:], of[2:], strict=False))
    return found


def overlap(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    """Shared runs of words, of all there are (Jaccard)."""
    return len(one & other) / len(one | other)


def likeness(one: str, other: str) -> float:
    """Share of words that stand in the same order in both."""
    return SequenceMatcher(None, words(one), words(other), autojunk=False).ratio()


def templated(instrument: Instrument, musical: str, nonmusical: str) -> Instrument:
    """The entry with its sources exchanged, as a template would fill it."""

    def filled(text: str) -> str:
        for old, new in (
            (instrument.musical_source, musical),
            (instrument.nonmusical_source, nonmusical),
            *zip(words(instrument.nonmusical_source), words(nonmusical), strict=False),
        ):
            text = re.sub(rf"\b{re.escape(old)}\b", new, text, flags=re.IGNORECASE)
        return text

    texts = {"idea": filled(instrument.idea), "risks": filled(instrument.risks)}
    lists = {field: tuple(map(filled, getattr(instrument, field))) for field in LISTS}
    return instrument.model_copy(
        update={"musical_source": musical, "nonmusical_source": nonmusical, **texts, **lists}
    )


def test_there_are_fifty_and_their_numbers_are_1_to_50_in_order() -> None:
    assert [instrument.number for instrument in ALL_INSTRUMENTS] == list(range(1, 51))


def test_the_slugs_are_the_permanent_ones() -> None:
    assert tuple(instrument.slug for instrument in ALL_INSTRUMENTS) == SLUGS


def test_the_tiers_are_ten_flagship_twenty_strong_twenty_experimental() -> None:
    tiers = [instrument.tier for instrument in ALL_INSTRUMENTS]
    assert tiers == ["flagship"] * 10 + ["strong"] * 20 + ["experimental"] * 20


def test_number_10_is_pyroviolin() -> None:
    tenth = ALL_INSTRUMENTS[9]
    assert (tenth.number, tenth.name, tenth.slug) == (10, "Pyroviolin", "pyroviolin")
    assert (tenth.musical_source, tenth.nonmusical_source) == ("violin", "fire")
    assert (tenth.lowest_note, tenth.highest_note) == ("G3", "E7")


@each
def test_no_field_is_missing_or_empty(instrument: Instrument) -> None:
    for field in Instrument.model_fields:
        value = getattr(instrument, field)
        assert field in instrument.model_fields_set, f"{field} is not in the entry"
        assert value, field
        if isinstance(value, tuple):
            assert all(str(item).strip() for item in value), field
            assert len(set(value)) == len(value), f"{field} repeats itself"
        else:
            assert str(value).strip(), field


@each
def test_the_texts_have_the_length_a_recordist_needs(instrument: Instrument) -> None:
    assert len(sentences(instrument.idea)) in (2, 3)
    assert len(sentences(instrument.risks)) in (1, 2, 3)
    assert 30 <= len(words(instrument.idea)) <= 90
    assert 20 <= len(words(instrument.risks)) <= 90
    for field in LISTS:
        assert 3 <= len(getattr(instrument, field)) <= 7, field
    assert len(instrument.dynamics) >= 2


def test_no_pairing_and_no_name_is_there_twice() -> None:
    names = Counter(instrument.name.casefold() for instrument in ALL_INSTRUMENTS)
    pairings = Counter(
        (i.musical_source.casefold(), i.nonmusical_source.casefold()) for i in ALL_INSTRUMENTS
    )
    assert max(names.values()) == max(pairings.values()) == 1


def test_no_source_is_used_too_often() -> None:
    musical = Counter(i.musical_source.casefold() for i in ALL_INSTRUMENTS)
    nonmusical = Counter(i.nonmusical_source.casefold() for i in ALL_INSTRUMENTS)
    assert max(musical.values()) <= 3
    assert max(nonmusical.values()) <= 2


def test_no_list_item_is_in_more_than_three_entries() -> None:
    used = Counter(line for i in ALL_INSTRUMENTS for line in {line.casefold() for line in lines(i)})
    assert [line for line, entries in used.items() if entries > 3] == []


def test_the_texts_as_a_whole_are_not_alike() -> None:
    runs = {i.slug: trigrams(i) for i in ALL_INSTRUMENTS}
    for one, other in combinations(runs, 2):
        assert overlap(runs[one], runs[other]) <= ALL_TEXTS_LIMIT, (one, other)


@pytest.mark.parametrize(("field", "limit"), [("idea", IDEA_LIMIT), ("risks", RISKS_LIMIT)])
def test_no_two_ideas_and_no_two_risks_are_alike(field: str, limit: float) -> None:
    for one, other in combinations(ALL_INSTRUMENTS, 2):
        alike = likeness(getattr(one, field), getattr(other, field))
        assert alike <= limit, (one.slug, other.slug)


@each
def test_an_entry_filled_into_a_template_would_be_caught(instrument: Instrument) -> None:
    other = templated(instrument, "bagpipe", "waterfall")
    assert overlap(trigrams(instrument), trigrams(other)) > 50 * ALL_TEXTS_LIMIT
    assert likeness(instrument.idea, other.idea) > 2 * IDEA_LIMIT
    assert likeness(instrument.risks, other.risks) > 2 * RISKS_LIMIT


def test_a_shared_sentence_skeleton_would_be_caught() -> None:
    skeleton = (
        "At 0 you hear a pure {0}, warm and close. In the middle the {0} and the {1} become one"
        " sound that breathes with the player. At 100 only {1} is left, and a {2} brings it alive."
    )
    one = skeleton.format("cello", "surf", "slow crescendo on the low string")
    other = skeleton.format("duduk", "desert sand", "quick trill with the lip")
    assert likeness(one, other) > 2 * IDEA_LIMIT


@each
def test_the_range_is_the_sounding_range_of_the_instrument(instrument: Instrument) -> None:
    assert instrument.musical_source in RANGES
    low_min, low_max, high_min, high_max = map(midi_number, RANGES[instrument.musical_source])
    lowest, highest = instrument.midi_range
    assert low_min <= lowest <= low_max
    assert high_min <= highest <= high_max


@pytest.mark.parametrize("source", RANGES)
def test_the_table_of_ranges_would_catch_a_slip_of_an_octave(source: str) -> None:
    low_min, low_max, high_min, high_max = map(midi_number, RANGES[source])
    assert 0 <= low_max - low_min < 12
    assert 0 <= high_max - high_min < 12
    assert low_max < high_min
