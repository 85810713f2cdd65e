"""The file of the host's leases lies where anybody may put anything."""

import os
import stat
from pathlib import Path

import pytest

from morphene_core import leases
from morphene_core.errors import MorpheneError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(leases, "LEASES", tmp_path / "leases")
    return tmp_path / "leases"


def test_every_user_may_lease_whatever_the_umask_of_the_first_one(path: Path) -> None:
    before = os.umask(0o077)
    try:
        with leases.open_leases() as taken:
            assert taken.take("a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "private"
    target.touch(0o600)
    path.symlink_to(target)
    with pytest.raises(MorpheneError, match="Remove what has the name"), leases.open_leases():
        pass
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_of_another_user_is_used_and_left_as_it_is(path: Path) -> None:
    path.write_text("theirs")
    path.chmod(0o622)
    os.utime(path, (0, 0))
    with leases.open_leases() as taken:
        assert taken.take("a")
        assert taken.holder("b") is None
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("theirs", 0o622)
    assert path.stat().st_mtime > 0  # those who clean up old files leave it alone
