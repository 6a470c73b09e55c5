"""`make screenshots`: the pictures of the docs, taken anew from `dev` with its sample company.

Add a picture to `PICTURES`, and to `_address` if its page depends on a run. Look at each before you commit it.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Page

from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.browser import chromium, find_chromium
from perfcopilot_goals_tests.cli.command import environment
from perfcopilot_goals_tests.end_to_end.service import ENDED, Service, wait_for

SECONDS = 180.0
LOADED_MS = 60_000
FOLDER = load_settings({}).project_root / "docs"
# name: its page, a text that shows when the page is there, width and height
PICTURES = {
    "ui-failed": ("/assets/raw_workspace_goals?view=partitions&partition=demo-wrong-gid", "View logs", 1200, 560),
    "ui-picture": ("/assets/prompt_blocks?view=partitions&partition=demo", "Employees by block", 1200, 820),
}


def main() -> None:
    """Overwrites the pictures in `docs/`."""
    if find_chromium() is None:
        raise SystemExit("There is no Chromium here. Install it, or name it in PERFCOPILOT_CHROMIUM.")
    with tempfile.TemporaryDirectory() as folder:
        service = Service(environment(Path(folder)), Path(folder) / "dev.log", "--demo")
        with service, chromium() as browser:
            wait_for(lambda: has_synced(service), SECONDS, service.log)
            for name, (path, text, width, height) in PICTURES.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                take(page, f"http://127.0.0.1:{service.port}{path}", text, FOLDER / f"{name}.png")
                page.close()
        service.run_command("database-stop")


def has_synced(service: Service) -> bool:
    """Whether the sample's two connections were tried."""
    return {run["tags"].get("dagster/partition") for run in service.runs() if run["status"] in ENDED} >= {
        "demo",
        "demo-wrong-gid",
    }


def take(page: Page, address: str, text: str, file: Path) -> None:
    """One picture of a page, when this text is on it."""
    page.goto(address)
    page.get_by_text(text).first.wait_for(timeout=LOADED_MS)
    page.get_by_text(text).first.scroll_into_view_if_needed()
    page.wait_for_timeout(1_000)
    page.screenshot(path=str(file))
    print(file.name, flush=True)


if __name__ == "__main__":
    main()
