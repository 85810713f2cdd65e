"""A real browser that looks at the Dagster UI: Debian's chromium, without a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

IMAGES = Path(__file__).parent.parent / "docs" / "images"


@contextmanager
def browser(base_url: str) -> Iterator[Page]:
    """Open a page; clicks and expectations wait a minute for what they are about."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing. Debian: apt install chromium."
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-dev-shm-usage"],  # root in a container: CI
        )
        page = started.new_page(base_url=base_url, viewport={"width": 1280, "height": 940})
        page.set_default_timeout(60_000)
        expect.set_options(timeout=60_000)
        try:
            yield page
        finally:
            started.close()


def picture(page: Page, name: str, elsewhere: Path) -> None:
    """Take a screenshot: for the docs with MORPHENE_SCREENSHOTS=1, else into a folder."""
    folder = IMAGES if os.environ.get("MORPHENE_SCREENSHOTS") == "1" else elsewhere
    page.screenshot(path=folder / f"{name}.png", animations="disabled")


def rows(table: Locator) -> dict[str, str]:
    """Return the first two columns of a table that shows metadata, as they are at one moment."""
    text = "table => [...table.rows].map(row => [...row.cells].slice(0, 2).map(c => c.innerText))"
    return dict(table.evaluate(text))
