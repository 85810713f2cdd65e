"""`morphene verify`, and what is wrong with a delivery that somebody was given."""

import errno
import json
import os
import resource
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import morphene_core.delivery.publish as publishing
from morphene_core.audio.wav import SAMPLE_RATE
from morphene_core.delivery.schema import SCHEMA, schema_faults
from morphene_core.delivery.verify import folder_faults, opened, read_metadata
from morphene_core.errors import InputError
from morphene_core.files import read_json, sha256
from morphene_core.stages import deliver
from morphene_dagster.cli import main
from tests.deliverable import make_deliverable

ZIP = "pyroviolin-v1.zip"


@pytest.fixture(scope="module")
def delivered_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paths = make_deliverable(tmp_path_factory.mktemp("deliverable") / "home")
    tone = np.sin(np.arange(30 * SAMPLE_RATE) * 0.02).astype(np.float32) / 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "play_demo", lambda *_: tone)
        deliver(paths)
    return paths.final


@pytest.fixture
def delivered(delivered_once: Path, tmp_path: Path) -> Path:
    """Return the folder of a delivery, to spoil."""
    return Path(shutil.copytree(delivered_once, tmp_path / "delivered"))


# What may be wrong with a folder. Each spoils it, and says what has to be named.


def missing(folder: Path) -> str:
    (folder / "demo.wav").unlink()
    return "demo.wav"


def another_model(folder: Path) -> str:
    (folder / "pyroviolin.ts").write_bytes(b"other code")
    return "pyroviolin.ts"


def one_bit(folder: Path) -> str:
    audio = bytearray((folder / "demo.wav").read_bytes())
    audio[-1] ^= 1
    (folder / "demo.wav").write_bytes(audio)
    return "demo.wav is not what was delivered (its checksum differs)"


def foreign(folder: Path) -> str:
    (folder / "pictures" / "note.txt").write_text("hello")
    return "pictures/note.txt"


def linked(folder: Path) -> str:
    (folder / "demo.wav").rename(folder.parent / "demo.wav")
    (folder / "demo.wav").symlink_to(folder.parent / "demo.wav")
    return "demo.wav"


def no_zip(folder: Path) -> str:
    (folder / ZIP).unlink()
    return ZIP


def truncated_zip(folder: Path) -> str:
    (folder / ZIP).write_bytes((folder / ZIP).read_bytes()[:-100])
    return ZIP


def zip_of_another(folder: Path) -> str:
    text = (folder / "README.md").read_bytes()
    (folder / ZIP).write_bytes((folder / ZIP).read_bytes().replace(text, text[::-1]))
    return ZIP


def wrong_numbers(folder: Path) -> str:
    return changed(folder, "metadata.json", '"ratio": 2048', '"ratio": "2048"') and "model.ratio"


def unknown_field(folder: Path) -> str:
    return changed(folder, "metadata.json", '"ratio": 2048', '"ratio": 2048, "rate": 1') and "rate"


def shipped_unapproved(folder: Path) -> str:
    return changed(folder, "metadata.json", '"state": "approved"', '"state": "waiting"') and "state"


def from_the_future(folder: Path) -> str:
    return changed(folder, "metadata.json", '"format": 2', '"format": 3') and "format 3"


def leads_out(folder: Path) -> str:
    (folder.parent / "secret").write_text("mine")
    return changed(folder, "metadata.json", '"demo.wav": {', '"../secret": {') and "../secret"


def left_out(folder: Path) -> str:
    metadata = read_json(folder / "metadata.json")
    (folder / "LICENCE.md").unlink()
    del metadata["files"]["LICENCE.md"]
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return "LICENCE.md"


def made_with_nothing(folder: Path) -> str:
    return changed(folder, "metadata.json", '"made_with": {', '"made_by": {') and "made_with"


def not_all_cleared(folder: Path) -> str:
    left = '"not_covered": ["The musical takes (own)"]'
    return changed(folder, "metadata.json", '"not_covered": []', left) and "not_covered"


def beside_a_mac(folder: Path) -> str:
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "code.ts").write_bytes(b"nothing of a Mac's")
    return "__MACOSX/code.ts"


def of_another_model(folder: Path) -> str:
    digest = read_json(folder / "metadata.json")["model"]["sha256"]
    own, other = f'"sha256": "{digest}",\n    "bytes"', f'"sha256": "{"0" * 64}",\n    "bytes"'
    said = "pyroviolin.ts is not the model that metadata.json describes"
    return said if changed(folder, "metadata.json", own, other) else ""


def judged_twice(folder: Path) -> str:
    name, other = '"name": "morph_progression"', '"name": "musical_reconstruction"'
    return changed(folder, "metadata.json", name, other) and "criteria.2.name"


def changed(folder: Path, name: str, before: str, after: str) -> bool:
    text = (folder / name).read_text()
    assert before in text
    (folder / name).write_text(text.replace(before, after, 1))
    return True


SPOILT = [
    missing, another_model, one_bit, foreign, linked, no_zip, truncated_zip, zip_of_another,
    wrong_numbers, unknown_field, shipped_unapproved, from_the_future, leads_out, left_out,
    judged_twice, of_another_model, made_with_nothing, not_all_cleared, beside_a_mac,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_whatever_is_wrong_is_named_on_one_line(
    delivered: Path, spoil: Callable[[Path], str]
) -> None:
    assert folder_faults(delivered) == []
    named = spoil(delivered)
    faults = folder_faults(delivered)
    assert any(named in fault for fault in faults), faults
    assert all("\n" not in fault and len(fault) < 300 for fault in faults)


def test_a_patch_that_does_not_fit_the_model_is_named(delivered: Path) -> None:
    metadata = read_json(delivered / "metadata.json")
    metadata["model"]["methods"] = [m for m in metadata["model"]["methods"] if m["name"] != "morph"]
    (delivered / "metadata.json").write_text(json.dumps(metadata))
    assert any("patch" in fault and "morph" in fault for fault in folder_faults(delivered))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "damaged"),
        ('{"files": {"demo.wav"', "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"files": {}, "model": NaN}', "damaged"),
        ('{"files": {}, "model": "\\ud800"}', "damaged"),
        ("[]", "lists no files"),
        ('{"files": []}', "lists no files"),
        (None, "metadata.json is missing"),
    ],
)
def test_metadata_that_cannot_be_read_is_said_in_one_line(
    delivered: Path, text: str | None, complaint: str
) -> None:
    (delivered / "metadata.json").unlink()
    if text is not None:
        (delivered / "metadata.json").write_text(text)
    with pytest.raises(InputError, match=complaint) as error:
        folder_faults(delivered)
    assert "\n" not in str(error.value) and "delivered" in str(error.value)


def test_a_delivery_of_an_older_morphene_is_verified_with_that(tmp_path: Path) -> None:
    (tmp_path / "a.ts").write_bytes(b"a model")
    files = {"a.ts": sha256(tmp_path / "a.ts")}
    (tmp_path / "metadata.json").write_text(json.dumps({"files": files}))
    (fault,) = folder_faults(tmp_path)
    assert "format None" in fault and "with the Morphene that made it" in fault


def test_the_schema_is_published_with_the_delivery_and_explains_every_field(
    delivered: Path,
) -> None:
    assert (delivered / "metadata.schema.json").read_bytes() == SCHEMA.read_bytes()

    def fields(schema: dict[str, object]) -> list[dict[str, object]]:
        inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]  # type: ignore[attr-defined]
        inner += [s for s in (schema.get("items"), schema.get("additionalProperties")) if s]
        below = [field for part in inner if isinstance(part, dict) for field in fields(part)]
        return [*schema.get("properties", {}).values(), *below]  # type: ignore[attr-defined]

    assert all(field.get("description") for field in fields(read_json(SCHEMA)))


@pytest.mark.parametrize(
    "section", ["instrument", "model", "lineage", "terms", "criteria", "files"]
)
def test_no_section_may_be_left_out_and_none_invented(delivered: Path, section: str) -> None:
    metadata = read_metadata(delivered)
    assert schema_faults({k: v for k, v in metadata.items() if k != section})
    assert schema_faults(metadata | {f"{section}2": metadata[section]})


# Zips.


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize(
    ("info", "content"),
    [
        (entry("../escaped"), b"x"),
        (entry("pyroviolin/../../escaped"), b"x"),
        (entry("/tmp/escaped"), b"x"),
        (entry("pyroviolin\\..\\escaped"), b"x"),
        (entry("C:escaped"), b"x"),
        (entry("pyroviolin/link", stat.S_IFLNK | 0o777), b"/etc/passwd"),
        (entry("pyroviolin/pipe", stat.S_IFIFO | 0o644), b""),
    ],
    ids=lambda value: value.filename if isinstance(value, zipfile.ZipInfo) else "",
)
def test_a_zip_that_leads_out_of_itself_is_not_unpacked(
    tmp_path: Path, info: zipfile.ZipInfo, content: bytes
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("pyroviolin/README.md", "hello")
        archive.writestr(info, content)
    with pytest.raises(InputError, match="was not unpacked"), opened(tmp_path / "a.zip"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_that_is_none_is_said_to_be(tmp_path: Path, delivered: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"hello")
    (tmp_path / "b.zip").write_bytes((delivered / ZIP).read_bytes()[:5000])
    for name in ("a.zip", "b.zip"):
        with pytest.raises(InputError, match="no zip, or damaged"), opened(tmp_path / name):
            pass
    with pytest.raises(InputError, match="does not exist"), opened(tmp_path / "c.zip"):
        pass


def test_the_zip_holds_the_whole_delivery(delivered: Path) -> None:
    with opened(delivered / ZIP) as folder:
        assert folder_faults(folder, zipped=False) == []
        assert not (folder / ZIP).exists()


def packed_on_a_mac(folder: Path, path: Path, top: str) -> Path:
    """Pack a delivery as the Finder does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            name = f"{top}{file.relative_to(folder).as_posix()}"
            archive.write(file, name)
            above, _, last = name.rpartition("/")
            archive.writestr(f"__MACOSX/{above}/._{last}", b"\0\5\x16\7")
        for name in {f"{top}.DS_Store", ".DS_Store"}:
            archive.writestr(name, b"a desktop's")
    return path


@pytest.mark.parametrize("top", ["pyroviolin/", ""])
def test_a_delivery_that_a_mac_packed_again_is_one(
    delivered: Path, tmp_path: Path, top: str
) -> None:
    with opened(packed_on_a_mac(delivered, tmp_path / "a.zip", top)) as folder:
        assert folder_faults(folder) == []


def test_what_a_mac_keeps_beside_the_files_of_a_folder_is_passed_over(delivered: Path) -> None:
    for name in ("._demo.wav", "pictures/._demo.png", "._.DS_Store", "Thumbs.db"):
        (delivered / name).write_bytes(b"a desktop's")
    assert folder_faults(delivered) == []


def test_a_zip_for_which_there_is_no_room_is_not_called_damaged(delivered: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 10, limits[1]))
    try:
        with (
            pytest.raises(InputError, match=r"no room .*Free disk space.*TMPDIR") as error,
            opened(delivered / ZIP),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(delivered / ZIP) in str(error.value) and "damaged" not in str(error.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_kind_of_full_disk_is_told_from_a_damaged_zip(
    delivered: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("morphene_core.delivery.archive.shutil.copyfileobj", full)
    with pytest.raises(InputError, match=r"no room to unpack .*\(.*: /"), opened(delivered / ZIP):
        pass


def test_where_not_even_a_folder_can_be_made_to_unpack_into_the_remedy_is_said(
    delivered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    with pytest.raises(InputError, match=r"no room to unpack .*TMPDIR"), opened(delivered / ZIP):
        pass


def test_a_damaged_zip_that_somebody_packed_again_is_named(tmp_path: Path, delivered: Path) -> None:
    packed = tmp_path / "again.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(delivered / "demo.wav", "pyroviolin/demo.wav")
        middle = archive.getinfo("pyroviolin/demo.wav").compress_size // 2
    contents = bytearray(packed.read_bytes())
    contents[middle : middle + 200] = bytes(200)
    packed.write_bytes(contents)
    with pytest.raises(InputError, match=r"again\.zip is no zip, or damaged"), opened(packed):
        pass


def test_what_is_wrong_in_a_zip_is_said_of_the_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("pyroviolin/README.md", "hello")
    refused = pytest.raises(InputError, match="holds no delivery")
    with refused as error, opened(tmp_path / "a.zip") as folder:
        read_metadata(folder)
    assert str(tmp_path / "a.zip") in str(error.value)


# The command.


def verify(*arguments: object) -> Result:
    """Run `morphene verify` in this process, with nobody at the terminal."""
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a project folder that did not make what is verified."""
    monkeypatch.setenv("MORPHENE_HOME", str(tmp_path / "elsewhere"))


def test_without_a_yes_nothing_is_loaded_and_the_exit_code_tells(delivered: Path) -> None:
    done = verify(delivered, "--json")
    assert (done.exit_code, json.loads(done.stdout)["played"]) == (2, False)
    assert "is code" in done.stderr
    done = verify(delivered / ZIP, "--no-play")
    assert done.exit_code == 0 and "was not loaded" in done.stdout


def test_who_does_not_want_it_played_is_not_told_to_say_yes(delivered: Path) -> None:
    for answer in ([], ["--yes"]):
        done = verify(delivered, "--no-play", *answer)
        assert done.exit_code == 0 and "was not loaded (--no-play)" in done.stdout
        assert "--yes" not in done.stdout
    assert "--yes loads and plays it" in verify(delivered).stdout


@pytest.mark.parametrize("odd", ["x", 7, [], {"version": {}}, None])
def test_whatever_metadata_hold_the_faults_are_said_in_json(tmp_path: Path, odd: object) -> None:
    metadata = {"files": {}, "delivery": odd, "instrument": odd, "format": odd, "shippable": odd}
    (tmp_path / "metadata.json").write_text(json.dumps(metadata))
    for form in (2, odd):
        (tmp_path / "metadata.json").write_text(json.dumps(metadata | {"format": form}))
        done = verify(tmp_path, "--json")
        assert done.exit_code == 1 and json.loads(done.stdout)["faults"], done.exception
        assert verify(tmp_path).exit_code == 1


def test_what_was_unpacked_from_the_zip_and_looked_into_is_a_delivery(
    delivered: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(delivered / ZIP) as archive:
        archive.extractall(tmp_path / "buyer")
    (tmp_path / "buyer" / "pyroviolin" / "pictures" / ".DS_Store").write_bytes(b"a desktop's")
    done = verify(tmp_path / "buyer" / "pyroviolin", "--no-play")
    assert done.exit_code == 0, done.output
    truncated_zip(delivered)  # one that is there has to be whole
    assert verify(delivered, "--no-play").exit_code == 1


def test_what_this_project_folder_made_is_loaded_without_asking(
    delivered_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MORPHENE_HOME", str(delivered_once.parents[2]))
    done = verify(delivered_once, "--json")
    assert "is code" not in done.stderr
    found = json.loads(done.stdout)  # it is loaded, and no model
    assert (done.exit_code, found["played"]) == (1, False)
    assert "pyroviolin.ts" in found["faults"][0]


def test_a_spoilt_delivery_is_never_loaded(delivered: Path) -> None:
    another_model(delivered)
    done = verify(delivered, "--yes")
    assert done.exit_code == 1
    assert "✗ pyroviolin.ts is not what was delivered" in done.stdout
    assert "is code" not in done.stderr
