"""The Dagster UI in a real browser: a running training watched, a tier's backfill launched."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.storage.tags import BACKFILL_ID_TAG
from playwright.sync_api import Page, expect

from morphene_core.home import Home
from morphene_core.training import current_training
from morphene_core.training.live import is_running
from morphene_dagster.instance import instance_environment
from morphene_dagster.schedules import TIERS
from morphene_dagster.standing import CHECKPOINTS, asset_graph, instrument_of, is_training
from morphene_dagster.submit import submit
from tests.browser import browser, picture, rows
from tests.conftest import TINY
from tests.killing import prepared
from tests.test_restart import kill_everything
from tests.test_ui import served

pytestmark = pytest.mark.slow

# A budget in hours, as `production` has one: the time left is known from the start. Both phases
# have to have a validation, however slow the machine is just then.
BUDGETED = (
    TINY.replace("phase_1_steps = 60", "hours = 0.2")
    .replace("total_steps = 80", "phase_1_share = 0.02")
    .replace("checkpoint_every = 20", "checkpoint_every = 100")
    .replace("validate_every = 20", "validate_every = 10")
)
UP_TO_CHECKPOINTS = {
    *("musical_source", "musical_audio", "nonmusical_source", "nonmusical_audio"),
    *("preprocessed_db", "checkpoints"),
}
QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED
READY = ["kettlelark", "moorhorn"]  # flagships, beside Pyroviolin


@dataclass
class Ui:
    """The project folder that is served, its instance, and a browser."""

    home: Home
    instance: dg.DagsterInstance
    page: Page
    pictures: Path


@pytest.fixture
def ui(
    tiny_home: Home,
    tmp_path: Path,
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Ui]:
    """Serve three flagship instruments whose trainings take minutes, one at a time."""
    (tiny_home.profiles / "tiny.toml").write_text(BUDGETED)
    tiny_home.settings.write_text(tiny_home.settings.read_text() + "\n[queue]\ngpus = 1\n")
    prepared(tiny_home, "tiny")
    for slug in READY:
        for what in ("sources", "audio", "datasets"):
            source = tiny_home.path / what / "pyroviolin"
            shutil.copytree(source, source.with_name(slug))
    monkeypatch.setenv("MORPHENE_HOME", str(tiny_home.path))
    monkeypatch.setenv("DAGSTER_HOME", instance_environment(tiny_home)["DAGSTER_HOME"])
    with served(tiny_home, wait_until) as server:
        try:
            with (
                dg.DagsterInstance.get() as instance,
                browser(f"http://127.0.0.1:{server.port}") as page,
            ):
                yield Ui(tiny_home, instance, page, tmp_path)
        finally:
            kill_everything(tiny_home)  # the trainings have minutes to go


def test_a_running_training_is_watched_and_a_tier_s_backfill_launched_in_a_browser(
    ui: Ui, wait_until: Callable[..., None]
) -> None:
    run_id = submit(ui.instance, "train", "pyroviolin")
    launch_backfill(ui)
    wait_until(lambda: ui.instance.get_backfills())
    (backfill,) = ui.instance.get_backfills()
    assert targets(backfill) == {(asset, slug) for asset in UP_TO_CHECKPOINTS for slug in READY}

    wait_until(lambda: "loss: discriminator" in newest_observation(ui.instance), 180)
    watch_training(ui, run_id)

    # The backfill prepares first, and its trainings wait for the slot of the one that runs.
    queued = dict.fromkeys(READY, QUEUED)
    wait_until(lambda: trainings(ui.instance, backfill.backfill_id) == queued, 180)
    assert is_running(current_training(ui.home.instrument("pyroviolin")))
    look_around(ui, backfill.backfill_id)


def launch_backfill(ui: Ui) -> None:
    """Click together a backfill of what is ready of the flagships, up to the checkpoints."""
    page = ui.page
    page.goto("/assets/checkpoints?view=lineage&lineageScope=upstream")
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.get_by_text("musical_audio", exact=True).first).to_be_visible()
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Launch runs to materialize {len(UP_TO_CHECKPOINTS)} assets")
    dialog.get_by_text("Select a partition or create one").click()
    for slug in READY:
        page.get_by_text(slug, exact=True).first.click()
    page.keyboard.press("Escape")
    expect(page.get_by_placeholder("Filter partitions")).to_be_hidden()
    expect(dialog).to_contain_text(f"{len(READY)} partitions")
    picture(page, "backfill-dialog", ui.pictures)
    dialog.get_by_role("button", name="Launch backfill").click()
    expect(dialog).to_be_hidden()


def watch_training(ui: Ui, run_id: str) -> None:
    """Read step, losses and time left on the partition's page, and see the curves."""
    page = ui.page
    page.goto("/assets/checkpoints?view=partitions&partition=pyroviolin")
    expect(page.get_by_text(f"Run {run_id[:8]} that targets this partition")).to_be_visible()
    # Dagster shows metadata on the page itself only once there is a materialization.
    page.get_by_role("button", name="View all historical events").click()
    events = page.get_by_role("dialog")
    events.get_by_text("Observation").first.click()
    expect(events.get_by_text("time left").first).to_be_visible()
    picture(page, "training-partition", ui.pictures)
    shown = rows(events.locator("table table").first)
    assert 0 < int(shown["step"]) < int(shown["steps in all"])
    assert shown["phase"] == "2"
    assert re.fullmatch(r"(\d+:)?\d+:\d\d", shown["time left"])
    assert float(shown["steps per second"]) > 0
    assert float(shown["loss: fullband_spectral_distance"]) > 0
    assert float(shown["loss: discriminator"]) > 0

    events.get_by_text("[Show Markdown]").first.click()
    curves = page.get_by_role("dialog").last.locator("img[src^='data:image']")
    expect(curves).to_be_visible()
    picture(page, "training-losses", ui.pictures)
    assert curves.evaluate("image => image.naturalWidth") > 100


def look_around(ui: Ui, backfill_id: str) -> None:
    """See the backfill, what waits for a GPU, and the tiers' schedules."""
    page = ui.page
    page.goto(f"/runs/b/{backfill_id}")
    for slug in READY:
        expect(page.get_by_text(slug).first).to_be_visible()
    expect(page.get_by_text("checkpoints").first).to_be_visible()
    picture(page, "backfill", ui.pictures)
    page.goto("/deployment/concurrency/gpu")
    for run in filter(is_training, ui.instance.get_runs(dg.RunsFilter(statuses=[STARTED, QUEUED]))):
        expect(page.get_by_text(run.run_id[:8]).first).to_be_visible()
    picture(page, "gpu-pool", ui.pictures)
    page.goto("/automation")
    for tier in TIERS:
        expect(page.get_by_text(f"{tier}_backfill").first).to_be_visible()
    expect(page.get_by_text("Scheduled At")).to_have_count(len(TIERS))
    picture(page, "automation", ui.pictures)


def newest_observation(instance: dg.DagsterInstance) -> Mapping[str, object]:
    """Return what was last observed of a training: of phase 2 the first may lack its losses."""
    records = instance.fetch_observations(CHECKPOINTS, limit=1).records
    observation = records[0].asset_observation if records else None
    return observation.metadata if observation else {}


def targets(backfill: PartitionBackfill) -> set[tuple[str, str]]:
    """Return the assets and partitions that a backfill was launched for."""
    data = backfill.get_asset_backfill_data(asset_graph())
    parts = data.target_subset.iterate_asset_partitions()
    return {(part.asset_key.to_user_string(), str(part.partition_key)) for part in parts}


def trainings(instance: dg.DagsterInstance, backfill_id: str) -> dict[str, dg.DagsterRunStatus]:
    """Return how the training of each instrument of a backfill stands."""
    runs = instance.get_runs(dg.RunsFilter(tags={BACKFILL_ID_TAG: backfill_id}))
    return {
        str(instrument_of(run)): run.status
        for run in runs
        if CHECKPOINTS in (run.asset_selection or ())
    }
