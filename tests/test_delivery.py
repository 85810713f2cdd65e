"""A delivery: what is in it, its versions, and that it is there whole or not at all."""

import json
import os
import resource
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import morphene_core.delivery.publish as publishing
from morphene_core import approval, gate
from morphene_core.audio.wav import SAMPLE_RATE, Mono
from morphene_core.delivery.archive import write_archive
from morphene_core.delivery.candidate import candidate
from morphene_core.delivery.changes import changes, changes_text
from morphene_core.delivery.patches import wording
from morphene_core.delivery.publish import publish
from morphene_core.delivery.verify import folder_faults, read_metadata
from morphene_core.delivery.versions import delivered_versions, delivering, version_folder
from morphene_core.errors import InputError, MorpheneError
from morphene_core.files import read_json, sha256, write_json
from morphene_core.final_model import FinalModel
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.collect import add_source
from morphene_core.sources.usage import where_used
from morphene_core.stages import deliver
from morphene_core.training import Checkpoint, current_training
from morphene_dagster.cli import main
from morphene_dagster.launch import Outcome
from tests.deliverable import SLUG, STEP, a_report, decide, make_deliverable, select
from tests.interrupting import fail, interrupted, killed_at

NEXT = STEP + 50_000
FILES = {
    "pyroviolin.ts", "demo.wav", "metadata.json", "metadata.schema.json", "README.md",
    "pictures/demo.png", "pictures/musical.png", "pictures/nonmusical.png", "pictures/morph.png",
    "pyroviolin.pd", "pyroviolin.maxpat", "CHECKLIST.md", "LICENCE.md", "ATTRIBUTIONS.md",
    "CHANGES.md", "pyroviolin-v1.zip",
}  # fmt: skip


@pytest.fixture(autouse=True)
def hum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play half a minute of a hum as the demo: what is delivered here is no model."""
    tone = np.sin(np.arange(30 * SAMPLE_RATE) * 0.02).astype(np.float32) / 4

    def play(model: Path, musical: Mono, nonmusical: Mono) -> Mono:
        assert model.is_file() and len(musical) and len(nonmusical)
        return tone

    monkeypatch.setattr(publishing, "play_demo", play)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes long and changes no more files than a model card of one page does."""

    def card(folder: Path, metadata: object, pictures: object) -> None:
        (folder / "pictures").mkdir()
        (folder / "pictures" / "demo.png").write_bytes(b"a picture")
        (folder / "README.md").write_text(json.dumps(metadata))

    monkeypatch.setattr(publishing, "write_card", card)
    monkeypatch.setattr(publishing, "write_wav", lambda path, _: path.write_bytes(b"a demo"))
    monkeypatch.setattr("morphene_core.delivery.verify.patch_faults", lambda *_: [])


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> InstrumentPaths:
    return make_deliverable(tmp_path_factory.mktemp("deliverable") / "home")


@pytest.fixture
def paths(made_once: InstrumentPaths, tmp_path: Path) -> InstrumentPaths:
    """Return an instrument that may be delivered."""
    shutil.copytree(made_once.home, tmp_path / "home", symlinks=True)
    return Home(tmp_path / "home").instrument(SLUG)


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def contents(folder: Path) -> dict[str, str]:
    return {name: sha256(folder / name) for name in sorted(names(folder))}


def train_on(paths: InstrumentPaths) -> None:
    """Select another checkpoint, which is better, and have it approved."""
    folder = current_training(paths)
    path = folder.checkpoints / f"checkpoint_{NEXT}.pt"
    path.write_bytes(b"better weights")
    checkpoint = Checkpoint(NEXT, 2, path.name, sha256(path))
    folder.write(replace(folder.read().with_checkpoint(checkpoint), step=NEXT))
    select(paths, checkpoint.sha256, NEXT, musical_reconstruction=0.2)
    decide(paths, step=NEXT)


# What is in it.


def test_it_holds_everything_that_was_promised_and_keeps_to_the_published_schema(
    paths: InstrumentPaths,
) -> None:
    metadata = deliver(paths)
    assert names(paths.final) == FILES
    assert folder_faults(paths.final) == []
    assert metadata == read_json(paths.final / "metadata.json")
    assert set(metadata["files"]) == FILES - {"metadata.json", "pyroviolin-v1.zip"}
    assert sha256(paths.final / "pyroviolin.ts") == metadata["model"]["sha256"]
    assert metadata["delivery"] == {"version": 1, "previous": None}
    assert [criterion["passed"] for criterion in metadata["criteria"]] == [True] * 5
    assert metadata["approval"]["verdict"]["listener"] == "Ada"
    assert metadata["terms"]["rights"]["who"] == "Bo"
    assert (metadata["shippable"], metadata["notice"]) == (True, None)


def test_lineage_leads_from_every_source_file_to_the_checkpoint_and_the_runs(
    paths: InstrumentPaths,
) -> None:
    lineage = deliver(paths)["lineage"]
    for role, source in zip(("musical", "nonmusical"), lineage["sources"], strict=True):
        assert sha256(paths.sources(role) / source["path"]) == source["sha256"]
        assert (source["role"], source["licence"], source["origin"]) == (role, "own", "recorded")
    training = current_training(paths).read()
    assert lineage["dataset"] == training.dataset["version"]
    assert lineage["checkpoint"] == training.checkpoint(STEP).sha256
    assert lineage["runs"] == {"training": ["run-1"], "export": ""}


def test_the_terms_say_whom_to_name_and_that_the_tools_are_another_matter(tmp_path: Path) -> None:
    attributed = {"licence": "CC-BY-4.0", "origin": "licensed", "attribution": "A. Bow"}
    paths = make_deliverable(tmp_path / "home", **attributed)
    terms = deliver(paths)["terms"]
    assert [entry["attribution"] for entry in terms["attributions"]] == ["A. Bow"]
    assert "A. Bow" in (paths.final / "ATTRIBUTIONS.md").read_text()
    licence = (paths.final / "LICENCE.md").read_text()
    for text in (
        "CC-BY-4.0",
        "nn~",
        "RAVE 2.3.1",
        "CC BY-NC 4.0",
        "says MIT",
        "Bo, for a commerci",
    ):
        assert text in licence


def make_trial(paths: InstrumentPaths) -> None:
    """Make of an instrument one that was trained for trying things out."""
    for record in current_training(paths).path.glob("training.json"):
        training = read_json(record)
        training["profile"] |= {"shippable": False, "approval_required": False, "name": "trial"}
        write_json(record, training)


def test_what_is_made_for_trying_things_out_is_stamped_everywhere(paths: InstrumentPaths) -> None:
    make_trial(paths)
    (paths.models / "verdicts.jsonl").unlink()
    paths.rights.unlink()
    metadata = deliver(paths)
    assert metadata["shippable"] is False and "NOT SHIPPABLE" in metadata["notice"]
    for page in ("README.md", "LICENCE.md"):
        assert "NOT SHIPPABLE" in (paths.final / page).read_text()
    assert folder_faults(paths.final) == []
    decide(paths, "rejected")
    with pytest.raises(InputError, match="Ada rejected"):
        deliver(paths)


def test_a_rights_decision_that_does_not_cover_the_instrument_says_so_wherever_it_stands(
    tmp_path: Path,
) -> None:
    paths = make_deliverable(tmp_path / "home", licence="CC0-1.0")
    relicensed = {"name": "The musical takes", "licence": "CC-BY-4.0", "attribution": "A. Bow"}
    make_trial(paths)
    assert deliver(paths)["terms"]["rights"]["not_covered"] == []
    pages = [paths.final / "LICENCE.md", paths.final / "README.md"]
    assert not any("does not cover" in page.read_text() for page in pages)
    add_source(paths, "musical", relicensed)
    rights = deliver(paths)["terms"]["rights"]
    relicensed_one = "musical source The musical takes (CC-BY-4.0)"
    assert (rights["who"], rights["not_covered"]) == ("Bo", [relicensed_one])
    for page in pages:
        assert f"It does not cover {relicensed_one}" in page.read_text()
    assert folder_faults(paths.final) == []


def test_a_patch_that_is_not_what_it_must_be_is_not_published(
    paths: InstrumentPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = publishing.write_patches

    def spoilt(folder: Path, slug: str, model: FinalModel) -> None:
        write(folder, slug, model)
        patch = folder / f"{slug}.pd"
        patch.write_text(patch.read_text().replace(f"{slug}.ts morph", f"{slug}.ts prior"))

    monkeypatch.setattr(publishing, "write_patches", spoilt)
    with pytest.raises(MorpheneError, match=r"not what it must be: patch: pyroviolin\.pd: .*prior"):
        deliver(paths)
    assert delivered_versions(paths) == [] and not paths.final.exists()
    assert left_over(paths) == []


def test_the_same_inputs_give_the_same_zip_byte_for_byte_anywhere(
    paths: InstrumentPaths, tmp_path: Path, plain: None
) -> None:
    shutil.copytree(paths.home, tmp_path / "elsewhere", symlinks=True)
    elsewhere = Home(tmp_path / "elsewhere").instrument(SLUG)
    mask = os.umask(0o077)
    try:
        deliver(elsewhere)
    finally:
        os.umask(mask)
    deliver(paths)
    assert contents(paths.final) == contents(elsewhere.final)
    with zipfile.ZipFile(paths.final / "pyroviolin-v1.zip") as archive:
        packed = {entry.filename for entry in archive.infolist()}
    assert packed == {f"pyroviolin/{name}" for name in names(paths.final)} - {
        "pyroviolin/pyroviolin-v1.zip"
    }


def test_an_export_that_has_changed_since_is_not_delivered(paths: InstrumentPaths) -> None:
    (model,) = paths.exports.glob("*.ts")
    model.write_bytes(b"other code")
    assert candidate(paths).needs_export
    with pytest.raises(InputError, match="`morphene deliver pyroviolin` exports it again"):
        deliver(paths)
    assert not paths.final.exists()


# Versions.


def test_delivering_again_with_nothing_changed_keeps_the_version_however_fast_the_machine_was(
    paths: InstrumentPaths, plain: None
) -> None:
    first = deliver(paths)
    before = contents(paths.final)
    (record,) = paths.exports.glob("*.json")
    slower = {"realtime": a_report(p99_ms=28.0).to_dict()}
    write_json(record, read_json(record) | slower)
    assert deliver(paths) == first
    assert contents(paths.final) == before
    assert delivered_versions(paths) == [1]


def test_the_run_that_exported_the_same_bytes_again_makes_no_new_version(
    paths: InstrumentPaths, plain: None
) -> None:
    first = deliver(paths)
    (record,) = paths.exports.glob("*.json")
    write_json(record, read_json(record) | {"run": "run-2"})
    assert deliver(paths) == first
    assert delivered_versions(paths) == [1]


def test_the_number_of_a_version_that_was_deleted_is_not_given_again(
    paths: InstrumentPaths, plain: None
) -> None:
    deliver(paths)
    train_on(paths)
    deliver(paths)
    shutil.rmtree(version_folder(paths, 2))
    assert deliver(paths)["delivery"] == {"version": 3, "previous": 1}
    assert delivered_versions(paths) == [1, 3]


def reject(paths: InstrumentPaths) -> None:
    decide(paths, "rejected")


def choose_another(paths: InstrumentPaths) -> None:
    train_on(paths)


@pytest.mark.parametrize(
    ("happens", "said"),
    [(reject, "- Musicality: Ada rejected step"), (choose_another, "Another checkpoint was")],
)
def test_what_people_decide_while_the_demo_plays_is_taken_into_account(
    paths: InstrumentPaths,
    plain: None,
    monkeypatch: pytest.MonkeyPatch,
    happens: Callable[[InstrumentPaths], None],
    said: str,
) -> None:
    play = publishing.play_demo

    def meanwhile(model: Path, musical: Mono, nonmusical: Mono) -> Mono:
        happens(paths)
        return play(model, musical, nonmusical)

    monkeypatch.setattr(publishing, "play_demo", meanwhile)
    with pytest.raises(InputError, match=said):
        deliver(paths)
    assert delivered_versions(paths) == [] and left_over(paths) == []
    assert not paths.final.exists()


def test_a_new_version_says_what_changed_and_the_old_one_stays_as_it_was(
    paths: InstrumentPaths, plain: None
) -> None:
    deliver(paths)
    before = contents(version_folder(paths, 1))
    train_on(paths)
    metadata = deliver(paths)
    assert metadata["delivery"] == {"version": 2, "previous": 1}
    assert paths.final.resolve() == version_folder(paths, 2).resolve()
    assert contents(version_folder(paths, 1)) == before
    text = (paths.final / "CHANGES.md").read_text()
    for line in (
        "Since version 1",
        f"step of the checkpoint: {NEXT:,} (was {STEP:,})",
        "pitch err",
    ):
        assert line in text
    assert folder_faults(paths.final) == [] == folder_faults(version_folder(paths, 1))
    paths.rights.write_text(paths.rights.read_text().replace("Cleared with", "Agreed with"))
    deliver(paths)
    text = (paths.final / "CHANGES.md").read_text()
    assert text.index("Since version 2") < text.index("Since version 1")
    assert f"step of the checkpoint: {NEXT:,}" not in text.split("Since version 1")[0]


def test_whom_to_name_may_change_and_nothing_else_and_the_new_version_says_so(
    tmp_path: Path, plain: None
) -> None:
    attributed = {"licence": "CC-BY-4.0", "origin": "licensed", "attribution": "Jane Doe"}
    paths = make_deliverable(tmp_path / "home", **attributed)
    deliver(paths)
    add_source(paths, "musical", {"name": "The musical takes", "attribution": "John Roe"})
    deliver(paths)
    assert "John Roe" in (paths.final / "ATTRIBUTIONS.md").read_text()
    text = (paths.final / "CHANGES.md").read_text()
    assert "- source The musical takes: attribution John Roe (was Jane Doe)" in text
    assert "Nothing but" not in text


def reword(monkeypatch: pytest.MonkeyPatch) -> str:
    from morphene_core.delivery import papers

    monkeypatch.setattr(papers, "table", lambda *_: "No table.")
    return "LICENCE.md"


def redraw(monkeypatch: pytest.MonkeyPatch) -> str:
    low, high = wording.GAIN_DB
    monkeypatch.setattr(wording, "GAIN_DB", (low, high - 1))
    return "pyroviolin.pd"


def say_otherwise(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("morphene_core.gate._measured", spoken(gate._measured))
    return "README.md"


def approve_otherwise(monkeypatch: pytest.MonkeyPatch) -> str:
    said = approval.approval

    def reworded(*given: object) -> approval.Approval:
        return replace(said(*given), text="Ada likes it.")  # type: ignore[arg-type]

    monkeypatch.setattr("morphene_core.delivery.candidate.approval", reworded)
    return "README.md"


def spoken(measured: Callable[..., dict[str, gate.Criterion]]) -> Callable[..., object]:
    """Return what judges the measured criteria, in other words."""

    def judged(*given: object) -> dict[str, gate.Criterion]:
        return {name: replace(c, text="It is fine.") for name, c in measured(*given).items()}

    return judged


def renumber(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("morphene_core.delivery.rendering.version", lambda _: "99.0")
    return "metadata.json"


@pytest.mark.parametrize("mend", [reword, redraw, say_otherwise, approve_otherwise, renumber])
def test_a_mended_morphene_reaches_an_instrument_that_was_delivered_before(
    paths: InstrumentPaths,
    plain: None,
    monkeypatch: pytest.MonkeyPatch,
    mend: Callable[[pytest.MonkeyPatch], str],
) -> None:
    first = deliver(paths)
    name = mend(monkeypatch)
    metadata = deliver(paths)
    assert metadata["delivery"] == {"version": 2, "previous": 1}
    assert metadata["made_with"] != first["made_with"]
    old, new = (contents(version_folder(paths, version)) for version in (1, 2))
    assert old[name] != new[name]
    text = (paths.final / "CHANGES.md").read_text()
    assert "Since version 1\n\nNothing but how the files are made." in text
    assert deliver(paths) == metadata


def of_format_1(paths: InstrumentPaths) -> None:
    """Make of version 1 what a Morphene before `made_with` delivered."""
    metadata = read_metadata(paths.final)
    del metadata["made_with"], metadata["terms"]["rights"]["not_covered"]
    write_json(paths.final / "metadata.json", metadata | {"format": 1})
    packed = paths.final / "pyroviolin-v1.zip"
    write_archive(packed, paths.final, [*metadata["files"], "metadata.json"], SLUG)


def test_a_delivery_of_the_format_before_is_whole_and_is_delivered_anew_once(
    paths: InstrumentPaths, plain: None
) -> None:
    deliver(paths)
    of_format_1(paths)
    assert folder_faults(paths.final) == []
    assert deliver(paths)["delivery"]["version"] == 2
    assert "Nothing but how the files are made." in (paths.final / "CHANGES.md").read_text()
    assert deliver(paths)["delivery"]["version"] == 2
    assert folder_faults(version_folder(paths, 1)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda metadata: metadata | {"realtime": None, "criteria": [7]},
        lambda _: {"files": {}, "realtime": None},
        lambda _: {"files": {}, "criteria": [7]},
        lambda _: {"files": {}, "criteria": {"name": "musicality"}, "model": {"methods": [7]}},
        lambda _: {"files": {}, "lineage": {"sources": [{"role": "musical"}]}},
    ],
)
def test_a_version_whose_metadata_make_no_sense_stops_no_delivery(
    paths: InstrumentPaths, plain: None, spoil: Callable[[dict[str, object]], dict[str, object]]
) -> None:
    deliver(paths)
    write_json(paths.final / "metadata.json", spoil(read_metadata(paths.final)))
    assert deliver(paths)["delivery"] == {"version": 2, "previous": 1}
    assert "Since version 1" not in (paths.final / "CHANGES.md").read_text()


def test_changes_name_what_was_added_removed_and_relicensed() -> None:
    def of(*sources: tuple[str, str, str]) -> dict[str, object]:
        keys = ("path", "sha256", "licence")
        listed = [dict(zip(keys, s, strict=True)) | {"role": "musical", "source": "Takes"}
                  for s in sources]  # fmt: skip
        return {"lineage": {"sources": listed}}

    before = of(("a.wav", "1", "own"), ("b.wav", "2", "own"))
    after = of(("b.wav", "2", "CC0-1.0"), ("c.wav", "3", "CC0-1.0"))
    assert changes(before, after) == [
        "musical source Takes (CC0-1.0): added c.wav",
        "musical source Takes (own): removed a.wav",
        "source Takes: licence CC0-1.0 (was own)",
    ]


def test_what_people_wrote_makes_no_markup_of_changes() -> None:
    name = "Takes\n# A heading | *bold*"
    source = {"role": "musical", "source": name, "licence": "own", "path": "a.wav", "sha256": "1"}
    after = {
        "instrument": {"name": "Pyro *violin*"},
        "delivery": {"version": 2},
        "lineage": {"sources": [source]},
        "terms": {"rights": {"decision": "Cleared\n\n# All\n- of it", "who": "Bo"}},
    }
    text = changes_text(after, {1: {"format": 1}})
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Changes of Pyro \\*violin\\*, version 2",
        "## Since version 1",
    ]
    # Its name, the decision, who made it, and the source: a line each, whatever is in them.
    assert sum(line.startswith("- ") for line in text.splitlines()) == 4


def test_a_delivery_that_was_damaged_is_made_anew_as_another_version(
    paths: InstrumentPaths, plain: None
) -> None:
    deliver(paths)
    (version_folder(paths, 1) / "demo.wav").write_bytes(b"")
    assert deliver(paths)["delivery"] == {"version": 2, "previous": 1}
    assert "Nothing: it is the same" in (paths.final / "CHANGES.md").read_text()
    (version_folder(paths, 2) / "metadata.json").write_text('{"files"')
    assert deliver(paths)["delivery"] == {"version": 3, "previous": 2}
    assert folder_faults(paths.final) == []


def test_a_delivery_of_an_older_morphene_becomes_version_0(
    paths: InstrumentPaths, plain: None
) -> None:
    of_old(paths)
    before = contents(paths.final)
    metadata = deliver(paths)
    assert metadata["delivery"] == {"version": 1, "previous": 0}
    assert contents(version_folder(paths, 0)) == before
    assert "Since version 0" in (paths.final / "CHANGES.md").read_text()


def test_somebodys_folder_in_the_place_of_the_delivery_is_left_alone(
    paths: InstrumentPaths, plain: None
) -> None:
    paths.final.mkdir()
    (paths.final / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"move (it|them) away"):
        deliver(paths)
    assert names(paths.final) == {"notes.txt"}
    (paths.final / "notes.txt").unlink()
    deliver(paths)
    assert paths.final.is_symlink()


def test_two_deliveries_at_once_exclude_one_another(paths: InstrumentPaths) -> None:
    with delivering(paths), pytest.raises(InputError, match="is being delivered by another"):
        deliver(paths)
    assert delivered_versions(paths) == []


def test_a_takedown_finds_all_versions(paths: InstrumentPaths, plain: None) -> None:
    deliver(paths)
    train_on(paths)
    deliver(paths)
    uses = where_used(Home(paths.home), "The musical takes")
    assert [use.what for use in uses if use.kind == "delivery"] == [
        f"models/pyroviolin/deliveries/{version}" for version in (1, 2)
    ]


# The commands.


@pytest.fixture
def morphene(paths: InstrumentPaths, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the `morphene` command in the instrument's project folder, in this process."""
    monkeypatch.setenv("MORPHENE_HOME", str(paths.home))
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_closed_gate_is_listed_by_the_command_and_nothing_is_run(
    paths: InstrumentPaths, morphene: Callable[..., Result]
) -> None:
    paths.rights.unlink()
    decide(paths, "rejected")
    done = morphene("deliver", "10")
    assert done.exit_code == 1
    assert "These 2 things are missing" in done.stdout
    for line in ("- Musicality: Ada rejected step", "- Nobody has recorded a rights decision"):
        assert line in done.stdout
    done = morphene("deliver", "10", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["delivered"], len(found["missing"])) == (1, False, 2)
    assert (found["version"], found["new"], found["folder"]) == (None, None, None)
    assert not (paths.home / "dagster").exists() and not paths.final.exists()


def test_who_delivers_what_was_never_trained_is_told_the_command(
    morphene: Callable[..., Result],
) -> None:
    done = morphene("deliver", "11")
    assert (done.exit_code, "`morphene run " in done.stderr) == (1, True)
    assert "materialize" not in done.stderr


def test_a_rights_decision_is_recorded_and_shown_by_the_command(
    paths: InstrumentPaths, morphene: Callable[..., Result], tmp_path: Path
) -> None:
    paths.rights.unlink()
    assert "Nobody has recorded" in morphene("rights", SLUG).stdout
    contract = tmp_path / "contract.pdf"
    contract.write_bytes(b"signed")
    given = ("--by", "Bo", "--decision", "Cleared.")
    assert morphene("rights", SLUG, *given, "--document", contract).exit_code == 0
    (shown,) = json.loads(morphene("rights", SLUG, "--json").stdout)
    assert (shown["who"], shown["decision"], shown["action"]) == ("Bo", "Cleared.", "clear")
    assert shown["sources"] == [
        f"{role} source The {role} takes (own)" for role in ("musical", "nonmusical")
    ]
    assert (paths.documents / "contract.pdf").read_bytes() == b"signed"
    assert candidate(paths).obstacles == []
    nameless = morphene("rights", SLUG, "--decision", "Cleared.")
    assert nameless.exit_code == 1 and "needs a name" in nameless.stderr
    wordless = morphene("rights", SLUG, "--by", "Bo")
    assert wordless.exit_code == 1 and "Say what was decided" in wordless.stderr
    assert morphene("rights", SLUG, *given, "--withdraw").exit_code == 0
    assert "rights decision" in candidate(paths).obstacles[0].text


@pytest.fixture
def run_at_once(paths: InstrumentPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `morphene deliver` deliver in this process, without the queue."""

    def launch(*_: object, **__: object) -> Outcome:
        deliver(paths)
        return Outcome("run-3", "SUCCESS")

    monkeypatch.setattr("morphene_dagster.launch.launch", launch)


def test_the_command_says_whether_the_version_is_new_or_was_kept(
    paths: InstrumentPaths, morphene: Callable[..., Result], plain: None, run_at_once: None
) -> None:
    done = morphene("deliver", "10")
    assert done.exit_code == 0
    assert f"Version 1 of Pyroviolin is new: {paths.final}\n" in done.stdout
    for _ in range(2):
        done = morphene("deliver", "10")
        assert "Version 1 of Pyroviolin is up to date, nothing has changed: /" in done.stdout
    kept = json.loads(morphene("deliver", "10", "--json").stdout)
    assert (kept["delivered"], kept["version"], kept["new"]) == (True, 1, False)
    train_on(paths)
    made = json.loads(morphene("deliver", "10", "--json").stdout)
    assert (made["delivered"], made["version"], made["new"]) == (True, 2, True)
    assert (made["folder"], made["missing"], made["error"]) == (str(paths.final), [], None)


# Interruptions.


def of_old(paths: InstrumentPaths) -> None:
    """Put what an older Morphene delivered in the place of the link."""
    paths.final.mkdir()
    (paths.final / "pyroviolin.ts").write_bytes(b"an old model")
    (paths.final / "demo.wav").write_bytes(b"an old demo")
    checksum = sha256(paths.final / "pyroviolin.ts")
    old = {
        "files": {"pyroviolin.ts": checksum},
        "checkpoint": {"step": 7},
        "lineage": {"sources": []},
    }
    write_json(paths.final / "metadata.json", old)


def undo(paths: InstrumentPaths) -> None:
    """Go back to version 1, and leave what an interruption left."""
    if version_folder(paths, 2).exists():
        shutil.rmtree(version_folder(paths, 2))
    paths.final.unlink()
    paths.final.symlink_to("deliveries/1")


def require_whole(paths: InstrumentPaths, before: dict[str, str]) -> bool:
    """See to it that `final` is what it was, or the new version whole; return whether it is new."""
    if contents(paths.final) == before:
        return False
    assert folder_faults(paths.final) == []
    assert read_metadata(paths.final)["delivery"]["version"] == 2
    return True


def left_over(paths: InstrumentPaths) -> list[Path]:
    return [path for path in paths.models.rglob("*.partial*")]


@pytest.fixture
def second(paths: InstrumentPaths, plain: None) -> InstrumentPaths:
    """Return an instrument that is delivered, and may be delivered anew."""
    deliver(paths)
    train_on(paths)
    return paths


@pytest.mark.parametrize("killed", [False, True], ids=["error", "kill"])
def test_an_interruption_at_any_change_leaves_the_old_version_or_the_new_one_whole(
    second: InstrumentPaths, killed: bool
) -> None:
    before = contents(second.final)
    found = candidate(second)
    number, new = 0, []
    while True:
        number += 1
        if killed:
            ended = not killed_at(second.models, number, lambda: publish(found))
        else:
            with interrupted(second.models, number, fail) as watch:
                with suppress(OSError):
                    publish(found)
                ended = watch.act is not None
        new.append(require_whole(second, before))
        if ended:
            break
        undo(second)
    assert number > 40
    assert new[-1]
    assert not killed or new == sorted(new), "once it is there, it stays"
    assert left_over(second) == []
    assert folder_faults(second.final) == []


@pytest.mark.parametrize("killed", [False, True], ids=["error", "kill"])
def test_an_interruption_while_an_old_delivery_is_taken_over_leaves_it_whole(
    paths: InstrumentPaths, killed: bool
) -> None:
    of_old(paths)
    before = contents(paths.final)

    def take_over() -> None:
        with delivering(paths):
            pass

    number, ended = 0, False
    while not ended:
        number += 1
        if killed:
            ended = not killed_at(paths.models, number, take_over)
        else:
            with interrupted(paths.models, number, fail) as watch:
                with suppress(OSError):
                    take_over()
                ended = watch.act is not None
        assert contents(paths.final) == before
        if paths.final.is_symlink() and not ended:
            paths.final.unlink()
            shutil.move(version_folder(paths, 0), paths.final)
    assert number > 5
    assert paths.final.is_symlink() and contents(version_folder(paths, 0)) == before
    assert left_over(paths) == []


@pytest.mark.parametrize("kib", [2, 100, 150])
def test_a_full_disk_is_named_and_final_is_what_it_was(second: InstrumentPaths, kib: int) -> None:
    before = contents(second.final)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kib << 10, limits[1]))
    try:
        with pytest.raises(InputError, match=r"No space left to write .*Free disk space"):
            deliver(second)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(second.final) == before
    assert left_over(second) == []
    assert deliver(second)["delivery"]["version"] == 2
