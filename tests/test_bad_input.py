"""Mistakes in the input: one attempt, one or two lines, and nothing half-written left behind."""

import json
import shutil
import subprocess
from collections.abc import Callable

import dagster as dg
import numpy as np
import pytest

from morphene_core.audio.wav import write_wav
from morphene_core.home import Home, InstrumentPaths
from morphene_core.sources.collect import add_source
from morphene_dagster.definitions import defs
from tests.conftest import SYNTHESIZED, tiny

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]
Prepare = Callable[[Home], tuple[list[str], list[dg.DagsterEvent]]]


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Run the job `prepare`; return what it says is wrong, and its events."""

    def run(home: Home) -> tuple[list[str], list[dg.DagsterEvent]]:
        monkeypatch.setenv("MORPHENE_HOME", str(home.path))
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_job_def("prepare").execute_in_process(
                partition_key="pyroviolin", instance=instance, raise_on_error=False
            )
            logs = instance.all_logs(result.run_id)
        events = [entry.dagster_event for entry in logs if entry.dagster_event]
        return [error for event in events if (error := what_is_wrong(event))], events

    return run


def what_is_wrong(event: dg.DagsterEvent) -> str:
    """Return what a failed step or a failed blocking check says."""
    if event.event_type is dg.DagsterEventType.STEP_FAILURE:
        said = event.step_failure_data.user_failure_data
        return (said and said.description) or ""
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        failed = check.blocking and not check.passed
        serious = check.severity is dg.AssetCheckSeverity.ERROR
        return check.description or "" if failed and serious else ""
    return ""


def start_anew(paths: InstrumentPaths) -> None:
    """Take all non-musical recordings away, and what is known of them."""
    shutil.rmtree(paths.sources("nonmusical"))
    paths.manifest("nonmusical").unlink()
    paths.register("nonmusical").unlink()


def only_bad_files(paths: InstrumentPaths) -> str:
    start_anew(paths)
    folder = paths.sources("nonmusical")
    folder.mkdir()
    (folder / "notes.wav").write_text("remember the milk")
    add_source(paths, "nonmusical", SYNTHESIZED, [folder])
    return "notes.wav"


def an_empty_folder(paths: InstrumentPaths) -> str:
    for file in paths.sources("nonmusical").glob("*.wav"):
        file.unlink()
    return str(paths.sources("nonmusical"))


def nothing_registered(paths: InstrumentPaths) -> str:
    paths.manifest("nonmusical").unlink()
    return "morphene sources add"


def no_folder(paths: InstrumentPaths) -> str:
    start_anew(paths)
    return str(paths.sources("nonmusical"))


def too_short(paths: InstrumentPaths) -> str:
    start_anew(paths)
    write_wav(paths.sources("nonmusical") / "beep.wav", np.sin(np.arange(48_000) / 20))
    add_source(paths, "nonmusical", SYNTHESIZED, [paths.sources("nonmusical")])
    return str(paths.sources("nonmusical"))


def a_changed_file(paths: InstrumentPaths) -> str:
    first = min(paths.sources("nonmusical").glob("*.wav"))
    write_wav(first, np.random.default_rng(0).uniform(-0.3, 0.3, 96_000))
    return first.name


def a_broken_manifest(paths: InstrumentPaths) -> str:
    manifest = paths.manifest("nonmusical")
    manifest.write_text(manifest.read_text().replace("rating = 3", "rating = 6"))
    line = manifest.read_text().splitlines().index("rating = 6") + 1
    return f"{manifest}, line {line}: rating"


def no_derivatives(paths: InstrumentPaths) -> str:
    add_source(paths, "nonmusical", SYNTHESIZED | {"licence": "CC-BY-ND-4.0"})
    return "allows no derivatives"


def not_for_sale(paths: InstrumentPaths) -> str:
    add_source(paths, "nonmusical", SYNTHESIZED | {"licence": "CC-BY-NC-4.0"})
    return "is for non-commercial use, and the release is commercial"


def expired(paths: InstrumentPaths) -> str:
    manifest = paths.manifest("nonmusical")
    text = manifest.read_text().replace("rating = 3", "rating = 3\nexpires = 2020-01-31")
    manifest.write_text(text)
    return "expired on 2020-01-31"


def too_little_for_the_profile(paths: InstrumentPaths) -> str:
    start_anew(paths)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 12 * 48_000)
    write_wav(paths.sources("nonmusical") / "hiss.wav", noise)
    add_source(paths, "nonmusical", SYNTHESIZED, [paths.sources("nonmusical")])
    profile = paths.home / "profiles" / "tiny.toml"
    profile.write_text("source_hours = 0.005\n" + profile.read_text())
    return "0:12 of 0:18 that profile tiny asks for"


@pytest.mark.parametrize(
    "spoil",
    [
        only_bad_files,
        an_empty_folder,
        nothing_registered,
        no_folder,
        too_short,
        a_changed_file,
        a_broken_manifest,
        no_derivatives,
        not_for_sale,
        expired,
        too_little_for_the_profile,
    ],
)
def test_a_mistake_in_the_sources_is_named_once_before_anything_is_trained(
    tiny_home: Home, prepare: Prepare, spoil: Callable[[InstrumentPaths], str]
) -> None:
    paths = tiny_home.instrument("pyroviolin")
    named = spoil(paths)
    errors, events = prepare(tiny_home)
    assert errors and named in errors[0]
    assert len(errors[0].splitlines()) <= 2
    kinds = [event.event_type for event in events]
    assert kinds.count(dg.DagsterEventType.STEP_FAILURE) == 1
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    assert not paths.preprocessed_db.exists()
    assert not paths.models.exists()


def test_what_the_system_refuses_to_write_is_named_once_and_not_tried_again(
    tiny_home: Home, prepare: Prepare
) -> None:
    place = tiny_home.instrument("pyroviolin").preprocessed_db.parent
    shutil.rmtree(place, ignore_errors=True)
    place.write_text("in the way")
    errors, events = prepare(tiny_home)
    assert errors == [f"{place}: File exists. Mend that, then start again."]
    kinds = [event.event_type for event in events]
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds


def test_the_command_ends_with_the_mistake_and_no_traceback(tiny_home: Home, morphene: Run) -> None:
    named = no_derivatives(tiny_home.instrument("pyroviolin"))
    done = morphene("run", "pyroviolin", "--json", home=tiny_home.path)
    assert done.returncode == 1
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "FAILURE"
    assert named in outcome["error"]
    assert len(outcome["error"].splitlines()) <= 2
    assert len(outcome["run_ids"]) == 1  # nothing came after the preparation
    assert "Traceback" not in done.stderr


def test_a_non_commercial_release_may_use_what_a_commercial_one_may_not(
    tiny_home: Home, prepare: Prepare
) -> None:
    paths = tiny_home.instrument("pyroviolin")
    named = too_little_for_the_profile(paths)  # so that this run, too, ends before the training
    not_for_sale(paths)
    settings = tiny_home.settings.read_text()
    release = 'release = "{}"'.format
    tiny_home.settings.write_text(
        settings.replace(release("commercial"), release("noncommercial"), 1)
    )
    errors, _ = prepare(tiny_home)
    assert named in errors[0]


def test_production_without_a_gpu_is_refused_without_retry(
    prepared_home: Home, morphene: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (prepared_home.profiles / "needs_gpu.toml").write_text(tiny(requires_gpu="true"))
    done = morphene(
        "run", "pyroviolin", "--profile", "needs_gpu", "--json", home=prepared_home.path
    )
    outcome = json.loads(done.stdout)
    assert outcome["status"] == "FAILURE"
    assert "Profile needs_gpu needs a GPU, and NVML finds none here." in outcome["error"]
    assert len(outcome["error"].splitlines()) <= 2
    assert "tried again" not in done.stderr
