"""How far the recordings are, and where they have gone: numbers and sentences."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from morphene_core.dataset import DatasetRecord, write_record
from morphene_core.errors import InputError
from morphene_core.files import sha256, write_json
from morphene_core.final_model import model_path
from morphene_core.home import Home, InstrumentPaths
from morphene_core.instruments import ALL_INSTRUMENTS, get_poc_instrument
from morphene_core.profiles import load_profile
from morphene_core.sources.collect import add_source, remove_source
from morphene_core.sources.overview import instrument_status, summary, totals
from morphene_core.sources.register import survey
from morphene_core.sources.status import RoleStatus, source_statuses
from morphene_core.sources.usage import Use, where_used
from morphene_core.sources.verify import Discrepancy, verify_sources
from morphene_core.training import Checkpoint, open_training
from tests.deliverable import a_model
from tests.recordings import facts, record


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return a project folder whose profile wants a few seconds only."""
    home = Home(tmp_path / "home")
    home.create("small")
    home.profiles.mkdir()
    production = Path(load_profile.__code__.co_filename).with_name("production.toml")
    text = production.read_text().replace("source_hours = 1.5", "source_hours = 0.0005")
    (home.profiles / "small.toml").write_text(text)
    return home


@pytest.fixture
def paths(home: Home) -> InstrumentPaths:
    return home.instrument("pyroviolin")


def musical(home: Home) -> RoleStatus:
    return instrument_status(home, get_poc_instrument())[0]


def test_of_nothing_everything_is_missing(home: Home) -> None:
    for status in instrument_status(home, get_poc_instrument()):
        assert (status.usable_seconds, status.wanted_seconds) == (0, 1.8)
        assert (status.rating, status.complete) == (None, False)
        assert status.missing == ["0:02 more of audio"]


def test_what_is_there_is_counted_and_what_is_promised_is_not(
    home: Home, paths: InstrumentPaths, tmp_path: Path
) -> None:
    takes = [record(tmp_path / f"{seed}.wav", seed, 0.5) for seed in range(3)]
    add_source(paths, "musical", facts("A", rating=5), takes[:2])
    add_source(paths, "musical", facts("B", rating=2), takes[2:])
    add_source(paths, "musical", facts("C", rating=1, expected_seconds=5400.0))
    status = musical(home)
    assert (status.usable_seconds, status.expected_seconds) == (1.5, 5400)
    assert status.rating == pytest.approx((2 * 5 + 2) / 3)
    assert [s.seconds for s in status.sources] == [1.0, 0.5, 0.0]
    assert status.count("accepted") == 3
    assert not status.complete
    assert status.missing == ["0:00 more of audio, 0:00 of it expected"]
    add_source(paths, "musical", facts("C"), [record(tmp_path / "4.wav", 4, 0.5)])
    assert musical(home).complete
    assert musical(home).missing == []


def test_what_is_to_be_done_is_said(home: Home, paths: InstrumentPaths, tmp_path: Path) -> None:
    terms = facts("A", origin="licensed", licence="CC-BY-NC-SA-4.0", expires=date(2020, 1, 1))
    (tmp_path / "text.wav").write_text("a text")
    takes = [record(tmp_path / "x.wav", 0, 2.0), tmp_path / "text.wav"]
    add_source(paths, "musical", terms, takes)
    record(paths.sources("musical") / "stray.wav", 2)
    status = musical(home)
    assert not status.complete
    assert status.missing == [
        "licence of 'A' is for non-commercial use, and the release is commercial",
        "licence of 'A' expired on 2020-01-01",
        "licence of 'A' asks for attribution, and no text is given",
        "licence of 'A' is share-alike: clear which licence the instrument takes",
        "1 file to register (`morphene sources add`)",
        "1 rejected file to replace",
    ]


def test_a_noncommercial_release_takes_noncommercial_sources(
    home: Home, paths: InstrumentPaths, tmp_path: Path
) -> None:
    terms = facts("A", origin="licensed", licence="CC-BY-NC-4.0", attribution="J. D.")
    add_source(paths, "musical", terms, [record(tmp_path / "x.wav", 0, 2.0)])
    assert not musical(home).complete
    with home.settings.open("a") as settings:
        settings.write('[instruments.pyroviolin]\nrelease = "noncommercial"\n')
    assert musical(home).complete


def test_a_licence_is_judged_for_the_day(paths: InstrumentPaths, tmp_path: Path) -> None:
    terms = facts("A", licence="CC0-1.0", expires=date(2026, 12, 31))
    add_source(paths, "musical", terms, [record(tmp_path / "x.wav")])
    register = survey(paths, "musical")
    for day, forbids in (((2026, 8, 1), []), ((2026, 12, 31), [False]), ((2027, 1, 1), [True])):
        (status,) = source_statuses(register, "commercial", date(*day))
        assert [problem.forbids for problem in status.problems] == forbids


def test_the_summary_has_a_row_for_each_role_of_all_fifty(home: Home, tmp_path: Path) -> None:
    for slug, seconds in (("pyroviolin", 3.6), ("fanflare", 1.8)):
        take = record(tmp_path / f"{slug}.wav", len(slug), seconds)
        add_source(home.instrument(slug), "nonmusical", facts(rating=3), [take])
    promised = facts(expected_seconds=3600.0)
    add_source(home.instrument("breakwater"), "musical", promised)
    table = summary(home, ALL_INSTRUMENTS)
    assert len(table) == 100
    assert list(table["number"].unique()) == list(range(1, 51))
    row = table[(table["slug"] == "pyroviolin") & (table["role"] == "nonmusical")].iloc[0]
    assert (row["source"], row["hours"], row["files"]) == ("fire", 0.001, 1)
    assert (row["rating"], row["complete"], row["wanted_hours"]) == (3.0, True, 0.0005)
    sums = totals(table).set_index("tier")
    assert list(sums.index) == ["flagship", "strong", "experimental", "all"]
    assert list(sums["complete"]) == [1, 1, 0, 2]
    assert list(sums["expected_hours"]) == [1, 0, 0, 1]
    assert list(sums["wanted_hours"]) == pytest.approx([0.01, 0.02, 0.02, 0.05])


# Where a source has gone.


@pytest.fixture
def made(home: Home, paths: InstrumentPaths, tmp_path: Path) -> InstrumentPaths:
    """Return an instrument whose source "Field [recordings]" went all the way to a delivery."""
    terms = facts("Field [recordings]", licence="CC-BY-4.0", origin="licensed", attribution="J.")
    takes = [record(tmp_path / "x.wav", 0), record(tmp_path / "y.wav", 1)]
    add_source(paths, "musical", terms, takes)
    hashes = [sha256(take) for take in takes]
    sources = [
        {"role": "musical", "path": "x.wav", "sha256": digest, "source": "Field [recordings]"}
        for digest in hashes
    ]
    pieces = [{"source_sha256": digest} for digest in (*hashes, hashes[0])]
    write_json(paths.audio("musical") / "audio.json", {"pieces": pieces})
    dataset = DatasetRecord("v1", 2048, 9, {"musical": 1.0}, sources)
    write_record(paths.preprocessed_db, dataset)
    folder = open_training(paths, load_profile("demo", home.profiles), dataset)
    checkpoint = Checkpoint(100, 1, "checkpoint_000100.pt", "0" * 64)
    folder.write(folder.read().with_checkpoint(checkpoint))
    training = folder.read().id
    (folder.checkpoints / checkpoint.file).parent.mkdir(parents=True, exist_ok=True)
    for name in (checkpoint.file, "checkpoint_000100.json", "config.gin"):
        (folder.checkpoints / name).write_bytes(b"weights, or what stands beside them")
    a_model(model_path(paths, training, 100), "0" * 64, 100, training=training)
    lineage = {"dataset": "v1", "sources": sources}
    write_json(paths.final / "metadata.json", {"lineage": lineage})
    return paths


def kinds(uses: list[Use]) -> list[tuple[str, int]]:
    return [(use.kind, use.files) for use in uses]


MADE = [("prepared audio", 2), ("dataset", 2), ("checkpoint", 2), ("export", 2), ("delivery", 2)]


def test_a_takedown_finds_all_that_was_made_of_a_source(home: Home, made: InstrumentPaths) -> None:
    uses = where_used(home, "field [RECORDINGS]")
    assert kinds(uses) == [("recordings", 2), *MADE]
    assert {use.instrument for use in uses} == {"pyroviolin"}
    assert all(not Path(use.what).is_absolute() for use in uses)
    assert uses[3].what.endswith("checkpoints/checkpoint_000100.pt")
    assert uses[5].what == "models/pyroviolin/final"


def test_what_was_made_of_a_source_is_found_after_it_was_renamed(
    home: Home, made: InstrumentPaths
) -> None:
    manifest = made.manifest("musical")
    manifest.write_text(manifest.read_text().replace("Field [recordings]", "Forest"))
    assert kinds(where_used(home, "Forest")) == [("recordings", 2), *MADE]
    by_old_name = [("dataset", 2), ("checkpoint", 2), ("export", 2), ("delivery", 2)]
    assert kinds(where_used(home, "Field [recordings]")) == by_old_name


def test_what_was_made_of_a_source_is_found_after_it_was_removed(
    home: Home, made: InstrumentPaths
) -> None:
    remove_source(made, "musical", "Field [recordings]")
    uses = where_used(home, "Field [recordings]")
    assert kinds(uses) == [("removed recordings", 2), *MADE]
    shutil.rmtree(home.path / "sources")
    assert kinds(where_used(home, "Field [recordings]")) == MADE[1:]


def test_the_same_recording_in_another_instrument_is_found(
    home: Home, made: InstrumentPaths, tmp_path: Path
) -> None:
    add_source(home.instrument("keelson"), "musical", facts("Other"), [tmp_path / "x.wav"])
    uses = where_used(home, "Field [recordings]")
    assert ("keelson", "recordings", 1) in [(u.instrument, u.kind, u.files) for u in uses]


def test_a_source_without_files_is_used_nowhere_and_an_unknown_one_is_refused(
    home: Home, paths: InstrumentPaths
) -> None:
    add_source(paths, "musical", facts("Promised", expected_seconds=60.0))
    assert where_used(home, "Promised") == []
    remove_source(paths, "musical", "Promised")
    assert where_used(home, "Promised") == []
    with pytest.raises(InputError, match="No source 'Premised'"):
        where_used(home, "Premised")


DELIVERED = "models/pyroviolin/deliveries/1"


def deliver_in_parts(paths: InstrumentPaths) -> None:
    """Make of the delivery version 1, beside which lies one whose metadata are lost."""
    paths.deliveries.mkdir()
    paths.final.rename(paths.deliveries / "1")
    paths.final.symlink_to("deliveries/1")
    (paths.deliveries / "2").mkdir()
    (paths.deliveries / "2" / "pyroviolin.ts").write_bytes(b"a model")


LOST = [
    ("audio/*/*/audio.json", ["prepared audio"]),
    ("datasets/*/dataset.json", ["dataset"]),
    ("models/*/trainings/*/training.json", ["checkpoint", "export"]),
    ("models/*/exports/*.json", ["export"]),
    (f"{DELIVERED}/metadata.json", ["delivery"]),
]
DAMAGE = [
    "{",
    "[]",
    "{}",
    '{"lineage": {"sources": [1]}, "sources": [1], "pieces": [1]}',
    '{"lineage": {"sources": null}, "sources": null, "pieces": null, "dataset": 7}',
    None,
]
"""What a record may hold in place of what it should; None: it is gone."""


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize(("record", "lost"), LOST, ids=lambda value: str(value)[:20])
def test_a_record_that_is_lost_is_named_and_the_others_are_found_all_the_same(
    home: Home, made: InstrumentPaths, record: str, lost: list[str], damage: str | None
) -> None:
    deliver_in_parts(made)
    (path,) = home.path.glob(record)
    (path.parent / "what it is the record of").write_bytes(b"audio, a model")
    path.write_text(damage) if damage is not None else path.unlink()
    uses = where_used(home, "Field [recordings]")
    told = [use for use in uses if not use.doubt]
    assert kinds(told) == [("recordings", 2), *(m for m in MADE if m[0] not in lost)]
    doubts = {use.what: use for use in uses if use.doubt}
    assert doubts.pop("models/pyroviolin/deliveries/2").kind == "delivery"
    assert [use.kind for use in doubts.values()] == lost
    for use in doubts.values():
        assert use.files is None and use.instrument == "pyroviolin"
        said = "is missing" if damage is None else "is damaged"
        assert f"{path} {said}. Put it back from a copy" in use.doubt
        assert (home.path / use.what).exists()


def test_a_manifest_that_is_damaged_is_named_and_hides_nothing_else(
    home: Home, made: InstrumentPaths, tmp_path: Path
) -> None:
    keelson = home.instrument("keelson")
    add_source(keelson, "musical", facts("Other"), [tmp_path / "x.wav"])
    keelson.manifest("musical").write_text("[[source")
    *_, doubt = sorted(where_used(home, "Field [recordings]"), key=lambda use: bool(use.doubt))
    assert (doubt.instrument, doubt.kind, doubt.what) == (
        "keelson", "recordings", "sources/keelson/musical"
    )  # fmt: skip
    assert "musical.toml" in doubt.doubt and "\n" not in doubt.doubt
    assert [u.kind for u in where_used(home, "Field [recordings]") if not u.doubt] == [
        "recordings", *(kind for kind, _ in MADE)
    ]  # fmt: skip


# Whether the files are what the manifest says.


def test_whatever_differs_from_the_manifest_is_found(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    (tmp_path / "deal.pdf").write_text("deal")
    (tmp_path / "consent.pdf").write_text("consent")
    takes = [record(tmp_path / f"{seed}.wav", seed) for seed in range(3)]
    add_source(paths, "musical", facts("A"), takes[:2], tmp_path / "deal.pdf")
    add_source(paths, "musical", facts("B"), takes[2:], tmp_path / "consent.pdf")
    assert verify_sources(paths, "musical") == []
    folder = paths.sources("musical")
    record(folder / "a" / "0.wav", 9)
    (folder / "a" / "1.wav").unlink()
    record(folder / "stray.wav", 8)
    (paths.documents / "deal.pdf").write_text("another deal")
    (paths.documents / "consent.pdf").unlink()
    assert set(verify_sources(paths, "musical")) == {
        Discrepancy("musical/a/0.wav", "changed", "A"),
        Discrepancy("musical/a/1.wav", "missing", "A"),
        Discrepancy("musical/stray.wav", "unregistered", ""),
        Discrepancy("documents/deal.pdf", "changed", "A"),
        Discrepancy("documents/consent.pdf", "missing", "B"),
    }


def test_a_bad_file_that_is_as_it_was_registered_differs_in_nothing(
    paths: InstrumentPaths, tmp_path: Path
) -> None:
    (tmp_path / "text.wav").write_text("a text")
    add_source(paths, "musical", facts(), [tmp_path / "text.wav"])
    assert survey(paths, "musical").files[0].verdict == "rejected"
    assert verify_sources(paths, "musical") == []
