"""`make screenshots`: the pictures of the docs, taken anew from `dev` with its sample company.

Add a picture to one of the two tables. Look at each before you commit it.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from playwright.sync_api import Page

from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.browser import chromium, find_chromium
from perfcopilot_goals_tests.cli.command import environment
from perfcopilot_goals_tests.end_to_end.service import ENDED, Service, wait_for

SECONDS = 180.0
LOADED_MS = 60_000
FOLDER = load_settings({}).project_root / "docs"
# What Dagster shows in place of a table until it is pressed.
SHOW = "[Show Markdown]"
# Of Dagster's UI. By name: its page, a text that shows when the page is there, width and height.
PICTURES = {
    "ui-connections": ("/assets/connections?view=checks", SHOW, 1200, 700),
    "ui-failed": ("/assets/raw_workspace_goals?view=partitions&partition=demo-wrong-gid", "View logs", 1200, 560),
    "ui-picture": ("/assets/prompt_blocks?view=partitions&partition=demo", "Employees by block", 1200, 820),
}
# Of the admin page, alike.
ADMIN_PICTURES = {
    "admin-integrations": ("/admin?tab=integrations", "Test connection", 1100, 700),
    "admin-employees": ("/admin?tab=employees&connection=demo", "Unmapped", 1100, 780),
    "admin-goals": ("/admin?tab=goals&connection=demo&employee=E013", "[GOALS]", 1100, 900),
}


def main() -> None:
    """Overwrites the pictures in `docs/`."""
    if find_chromium() is None:
        raise SystemExit("There is no Chromium here. Install it, or name it in PERFCOPILOT_CHROMIUM.")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(environment(Path(folder)), Path(folder) / "dev.log", "--demo")
        with service, chromium() as browser:
            wait_for(lambda: has_synced(service), SECONDS, service.log)
            take_all(browser.new_page(), f"http://127.0.0.1:{service.port}", PICTURES)
            (link,) = wait_for(lambda: re.findall(r"once: (http://\S+)", service.log()), SECONDS, service.log)
            page = browser.new_page()
            page.goto(link)
            take_all(page, link.partition("/admin")[0], ADMIN_PICTURES)
        service.run_command("database-stop")


def has_synced(service: Service) -> bool:
    """Whether the sample's two connections were tried."""
    return {run["tags"].get("dagster/partition") for run in service.runs() if run["status"] in ENDED} >= {
        "demo",
        "demo-wrong-gid",
    }


def take_all(page: Page, origin: str, pictures: Mapping[str, tuple[str, str, int, int]]) -> None:
    """A picture of each page, when its text is there."""
    for name, (path, text, width, height) in pictures.items():
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{origin}{path}")
        page.get_by_text(text).first.wait_for(timeout=LOADED_MS)
        page.get_by_text(text).first.scroll_into_view_if_needed()
        if text == SHOW:
            page.get_by_text(text).first.click()
        page.wait_for_timeout(1_000)
        page.screenshot(path=str(FOLDER / f"{name}.png"))
        print(f"{name}.png", flush=True)


if __name__ == "__main__":
    main()
