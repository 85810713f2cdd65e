from pathlib import Path

import pytest

from morphene_core.errors import InputError
from morphene_core.home import DEFAULT_PROFILE, ROLES, Home
from morphene_core.instruments import get_instrument, get_poc_instrument


def test_the_home_is_the_one_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MORPHENE_HOME", str(tmp_path))
    assert Home.resolve().path == tmp_path


def test_without_one_it_is_the_demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MORPHENE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert Home.resolve().path == tmp_path / "demo-home"


def test_a_new_home_trains_for_production(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.profile_name("pyroviolin") == DEFAULT_PROFILE == "production"
    home.create()
    assert home.profile_name("pyroviolin") == "production"


def test_settings_name_the_profile_of_all_or_of_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.settings.write_text('profile = "a"\n[instruments.pyroviolin]\nprofile = "b"\n')
    assert home.profile_name("pyroviolin") == "b"
    assert home.profile_name("another") == "a"


def test_a_new_home_is_for_a_commercial_release(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.release("pyroviolin") == "commercial"
    home.create()
    assert home.release("pyroviolin") == "commercial"


def test_settings_name_the_release_of_all_or_of_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.settings.write_text(
        'release = "noncommercial"\n[instruments.pyroviolin]\nrelease = "commercial"\n'
    )
    assert home.release("pyroviolin") == "commercial"
    assert home.release("another") == "noncommercial"


@pytest.mark.parametrize("release", ['"non-commercial"', "3", "true", "[]", "false", '""'])
def test_another_release_is_refused(tmp_path: Path, release: str) -> None:
    home = Home(tmp_path)
    home.settings.write_text(f"[instruments.pyroviolin]\nrelease = {release}\n")
    with pytest.raises(InputError, match=r'morphene\.toml: release of .* "noncommercial"'):
        home.release("pyroviolin")


def test_the_manifest_and_the_verdicts_lie_beside_the_recordings(tmp_path: Path) -> None:
    paths = Home(tmp_path).instrument("pyroviolin")
    for role in ROLES:
        folder = paths.sources(role)
        assert paths.manifest(role) == folder.with_name(f"{role}.toml")
        assert paths.register(role) == folder.with_name(f"{role}.verdicts.json")
    assert paths.documents.parent == paths.removed.parent == folder.parent


def test_creating_a_home_again_keeps_its_settings(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.settings.write_text('profile = "mine"\n')
    home.create()
    assert home.profile_name("pyroviolin") == "mine"


@pytest.mark.parametrize(
    "text", ["profile = ", "profile = 3", "[instruments.pyroviolin]\nprofile = 3"]
)
def test_broken_settings_are_named(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path)
    home.settings.write_text(text)
    with pytest.raises(InputError, match=r"morphene\.toml"):
        home.profile_name("pyroviolin")


def test_the_proof_of_concept_is_pyroviolin() -> None:
    poc = get_poc_instrument()
    assert (poc.name, poc.musical_source, poc.nonmusical_source) == ("Pyroviolin", "violin", "fire")
    assert get_instrument(10) is get_instrument("PyroViolin") is poc


def test_an_unknown_instrument_names_those_that_are_near() -> None:
    with pytest.raises(KeyError, match="10 pyroviolin"):
        get_instrument("pyroviola")
