"""A verdict in the listening room of `morphene up`, and what becomes of it in Dagster."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from morphene_core.delivery.verify import read_metadata
from morphene_core.errors import InputError
from morphene_core.files import read_json, write_json
from morphene_core.home import Home
from morphene_core.selection import read_selection
from morphene_core.training import current_training
from morphene_dagster.standing import why_failed
from tests.browser import browser, picture
from tests.conftest import free_port
from tests.test_ui import Server, served

pytestmark = pytest.mark.slow

MUSICALITY = dg.AssetCheckKey(dg.AssetKey("delivery"), "musicality")
SOON = 60  # seconds, within which a verdict is taken up


@pytest.fixture
def home(demo: Home, tmp_path: Path) -> Home:
    """The demo's project folder, as if its profile asked for approval, and nothing delivered."""
    shutil.copytree(demo.path, tmp_path / "home", symlinks=True)
    home = Home(tmp_path / "home")
    paths = home.instrument("pyroviolin")
    paths.final.unlink()
    shutil.rmtree(paths.deliveries)
    record = current_training(paths).path / "training.json"
    training = read_json(record)
    training["profile"]["approval_required"] = True
    write_json(record, training)
    port = free_port()
    text = home.settings.read_text()
    home.settings.write_text(f"{text}\n[listening]\nport = {port}\n")
    return home


def test_a_verdict_is_in_dagster_within_a_minute_and_decides_about_the_delivery(
    home: Home, wait_until: Callable[..., None], tmp_path: Path
) -> None:
    paths = home.instrument("pyroviolin")
    selection = read_selection(current_training(paths))
    with (
        served(home, wait_until) as server,
        dg.DagsterInstance.from_config(str(home.dagster)) as instance,
        browser(f"http://127.0.0.1:{server.port}") as page,
    ):
        run = server.launch("deliver")
        wait_until(lambda: server.status(run) == "FAILURE")
        assert "waits for ears" in why_failed(instance, run)
        with pytest.raises(InputError, match="holds no delivery"):
            read_metadata(paths.final)

        run = server.launch("audit", "selected_checkpoint")  # the link is to this room's port
        wait_until(lambda: server.status(run) == "SUCCESS")
        open_from_the_ui(page)
        decide(page, "Approve")
        began = time.monotonic()
        wait_until(lambda: musicality(instance) == (True, "Ada"), SOON)
        wait_until(lambda: (paths.final / "metadata.json").exists(), SOON)
        assert time.monotonic() - began < SOON
        approved = read_metadata(paths.final)["approval"]
        assert approved["state"] == "approved"
        assert approved["verdict"]["listener"] == "Ada"
        assert approved["verdict"]["checkpoint_sha256"] == selection.checkpoint_sha256
        wait_until(lambda: intact(instance), SOON)
        look_at_the_check(page, server, tmp_path)

        open_from_the_ui(page)
        decide(page, "Reject")
        wait_until(lambda: musicality(instance) == (False, "Ada"), SOON)
        run = server.launch("deliver")
        wait_until(lambda: server.status(run) == "FAILURE")
        assert "Ada rejected step" in why_failed(instance, run)


def open_from_the_ui(page: Page) -> None:
    """Follow the link on the selected checkpoint into the listening room."""
    page.goto("/assets/selected_checkpoint?view=partitions&partition=pyroviolin")
    link = page.get_by_role("link", name="http://127.0.0.1").first
    page.goto(str(link.get_attribute("href")))
    expect(page.get_by_role("heading", name="Verdict")).to_be_visible()


def decide(page: Page, what: str) -> None:
    """Give a verdict."""
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name=what, exact=True).click()


def musicality(instance: dg.DagsterInstance) -> tuple[bool, object] | None:
    """Return whether the latest evaluation of the check passed, and whose verdict it is."""
    storage = instance.event_log_storage
    record = storage.get_latest_asset_check_execution_by_key([MUSICALITY]).get(MUSICALITY)
    event = record.event.dagster_event if record and record.event else None
    if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    found = event.asset_check_evaluation_data
    listener = found.metadata.get("listener")
    return found.passed, listener.value if listener else None


def intact(instance: dg.DagsterInstance) -> bool:
    """Return whether the latest delivery was checked, and is what its checksums say."""
    key = dg.AssetCheckKey(dg.AssetKey("delivery"), "delivery_is_intact")
    storage = instance.event_log_storage
    record = storage.get_latest_asset_check_execution_by_key([key])[key]
    return record.status.value == "SUCCEEDED"


def look_at_the_check(page: Page, server: Server, elsewhere: Path) -> None:
    page.goto(f"http://127.0.0.1:{server.port}/assets/delivery?view=checks&checkDetail=musicality")
    expect(page.get_by_text("Ada approved step").first).to_be_visible()
    picture(page, "check-musicality", elsewhere)
