import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from morphene_core.errors import InputError
from morphene_core.files import (
    atomic_file,
    atomic_folder,
    locked,
    point_link,
    read_json,
    write_json,
)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_appears_under_its_name_only_once_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "model.ts"
    with atomic_file(target) as temporary:
        temporary.write_text("half")
        assert not target.exists()
        assert temporary.suffix == ".ts"
    assert target.read_text() == "half"
    assert names(tmp_path) == {"model.ts"}


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "model.ts"
    target.write_text("old")
    with pytest.raises(ValueError, match="disk"), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise ValueError("disk")
    assert target.read_text() == "old"
    assert names(tmp_path) == {"model.ts"}


def test_a_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    final = tmp_path / "final"
    for content in ("first", "second"):
        with atomic_folder(final) as temporary:
            (temporary / content).write_text(content)
    assert names(final) == {"second"}
    assert names(tmp_path) == {"final"}


def test_a_failed_folder_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "final"
    with atomic_folder(final) as temporary:
        (temporary / "a").write_text("a")
    with pytest.raises(KeyboardInterrupt), atomic_folder(final) as temporary:
        (temporary / "b").write_text("b")
        raise KeyboardInterrupt
    assert names(final) == {"a"}
    assert names(tmp_path) == {"final"}


def test_a_published_folder_can_be_read_by_others(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "final") as temporary:
        (temporary / "a").write_text("a")
    assert (tmp_path / "final").stat().st_mode & 0o777 == 0o755


def test_a_link_can_be_pointed_elsewhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "trainings" / name).mkdir(parents=True)
        point_link(tmp_path / "current", tmp_path / "trainings" / name)
        assert (tmp_path / "current").resolve().name == name
    assert names(tmp_path) == {"current", "trainings"}


def test_a_link_takes_the_place_of_nothing_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    for name in ("notes", "folder"):
        with pytest.raises(InputError, match="is to be a link"):
            point_link(tmp_path / name, tmp_path)
    assert (tmp_path / "notes").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    point_link(tmp_path / "empty", tmp_path)
    assert (tmp_path / "empty").is_symlink()


def test_a_lock_is_held_by_one_process_and_goes_with_it(tmp_path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from morphene_core.files import locked\n"
        "with locked(Path(sys.argv[1]), ''): print('held', flush=True); sys.stdin.read()"
    )
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="busy"), locked(lock, "busy"):
            pass
        holder.kill()
    with locked(lock, "busy"):
        pass


@given(st.recursive(st.none() | st.text() | st.integers() | st.booleans(), st.lists, max_leaves=9))
def test_json_comes_back_as_it_went(tmp_path_factory: pytest.TempPathFactory, data: object) -> None:
    path = tmp_path_factory.mktemp("json") / "data.json"
    write_json(path, data)
    assert read_json(path) == data
