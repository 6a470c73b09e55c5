"""Headless Chromium for what is seen in a browser: tests of pages, and the script that takes the screenshots.

Playwright drives the browser that the machine has; `PERFCOPILOT_CHROMIUM` names another one. It downloads none.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root, and in a container, Chromium has no sandbox of its own and little shared memory. Background networking and
# updates would ask for hosts of its own.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]


def find_chromium() -> str | None:
    """The browser's path, or None on a machine without one."""
    return os.environ.get("PERFCOPILOT_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own, with no profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS, timeout=120_000)
        try:
            yield browser
        finally:
            browser.close()
