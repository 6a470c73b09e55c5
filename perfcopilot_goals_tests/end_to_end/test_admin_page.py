"""The admin page in a browser, from nothing to a review's block; then as a manager sees it, behind a login proxy."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from perfcopilot_goals.sandbox import Sandbox, roster_csv, sample_company
from perfcopilot_goals_tests.browser import chromium, find_chromium
from perfcopilot_goals_tests.cli.command import environment
from perfcopilot_goals_tests.end_to_end.service import wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium on this machine"),
]

TOKEN = "token-typed-into-the-page-3e9a"
SECRET = "shared-with-the-proxy-9b02"
SECONDS = 120.0
AXE = files("axe_playwright_python").joinpath("axe.min.js")
PAGE_MS = 60_000
TABS = ("integrations", "employees", "goals", "syncs", "audit")

expect.set_options(timeout=PAGE_MS)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def serving(env: dict[str, str], log: Path, says: str) -> Iterator[str]:
    """`admin` in a process of its own; gives the address that it prints."""
    with log.open("wb") as out:
        command = [sys.executable, "-m", "perfcopilot_goals.cli", "admin", "--port", str(free_port())]
        process = subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield wait_for(lambda: found_in(log, says, process), SECONDS, log.read_text)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def found_in(log: Path, says: str, process: subprocess.Popen[bytes]) -> str | None:
    assert process.poll() is None, log.read_text("utf-8")
    found = re.search(rf"{says}: (\S+)", log.read_text("utf-8"))
    return found[1] if found else None


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(sample_company(), token=TOKEN) as asana:
        yield asana


def managed(world_csv: str) -> str:
    """The roster with managers: E020 and E021 report to boss@example.com."""
    head, *lines = world_csv.splitlines()
    managers = {"E020": "boss@example.com", "E021": "boss@example.com"}
    return "\n".join([f"{head},manager_email", *(f"{x},{managers.get(x.split(',')[0], '')}" for x in lines), ""])


def new_page(browser: Browser, **context: Any) -> Page:
    """A page of a context of its own, with a busy machine's patience."""
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(PAGE_MS)
    return page


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def test_from_nothing_to_a_block_and_a_manager_sees_two_reports(
    browser: Browser, asana: Sandbox, tmp_path: Path, database_url: str
) -> None:
    env = environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url)
    del env["ASANA_ACCESS_TOKEN"]
    with serving(env, tmp_path / "admin.log", "Admin page, for one browser and once") as link:
        page = new_page(browser)
        connect(page, link, asana)
        upload_and_map(page, link, asana, tmp_path)
        sync(page)
        read(page)
        root = link.partition("/admin")[0]
        check_every_page(browser, page, root)
        assert TOKEN not in (tmp_path / "admin.log").read_text("utf-8")
    proxied = env | {"PERFCOPILOT_ADMIN_PROXY_SECRET": SECRET, "PERFCOPILOT_ADMINS": "hr@example.com"}
    with serving(proxied, tmp_path / "proxied.log", "Admin page, for the login proxy") as address:
        see_as_manager(browser, address)


def connect(page: Page, link: str, asana: Sandbox) -> None:
    """A connection with a token and no GID, then tested, and the workspace chosen."""
    page.goto(link)
    expect(page.get_by_role("heading", name="Integrations")).to_be_visible()
    page.get_by_label("Name").fill("acme")
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_text("More settings").click()
    page.get_by_label("Address of the API").last.fill(asana.base_url)
    page.get_by_label("Requests a minute").last.fill("60000")
    press(page, "Add")
    expect(page.get_by_text("acme is added.")).to_be_visible()
    press(page, "Test connection")
    page.get_by_label("Thimble & Daughters (sample)").check()
    press(page, "Use this workspace")
    expect(page.get_by_text("acme is saved.")).to_be_visible()


def upload_and_map(page: Page, link: str, asana: Sandbox, tmp_path: Path) -> None:
    """A roster of 41 with six unmapped: three are mapped by suggestion, three by hand."""
    roster = tmp_path / "roster.csv"
    roster.write_text(managed(roster_csv(asana.world)), "utf-8")
    open_tab(page, "Employees")
    page.get_by_label("CSV file").set_input_files(roster)
    press(page, "Show what would change")
    expect(page.get_by_text("Added: 41")).to_be_visible()
    press(page, "Import")
    expect(page.get_by_role("heading", name="Unmapped (6)")).to_be_visible()
    press(page, "Suggest from Asana")
    boxes = page.get_by_role("checkbox").and_(page.locator("[name=take]"))
    expect(boxes.nth(0)).to_be_checked()
    expect(boxes.nth(1)).to_be_checked()
    boxes.nth(2).check()
    for employee_id, user in (("E039", "pat@visitors.example"), ("E040", "Kim Contractor"), ("E041", "Guest")):
        page.get_by_label(f"Asana user of {employee_id}").fill(user)
    press(page, "Save")
    expect(page.get_by_text("Saved: 6 mapped.")).to_be_visible()
    expect(page.get_by_text("Everybody is mapped.")).to_be_visible()


def sync(page: Page) -> None:
    open_tab(page, "Integrations")
    press(page, "Sync now")
    expect(page.get_by_text("A sync of acme has started.")).to_be_visible()

    def is_complete() -> bool:
        open_tab(page, "Integrations")
        return page.get_by_text("Last complete sync").count() > 0

    wait_for(is_complete, SECONDS, lambda: page.inner_text("main"))
    expect(page.get_by_text("2 employees truncated")).to_be_visible()
    open_tab(page, "Syncs")
    expect(page.get_by_text("complete", exact=False).first).to_be_visible()


def read(page: Page) -> None:
    open_tab(page, "Goals")
    expect(page.get_by_text("200 of 243")).to_be_visible()
    page.locator("a[href*=E003]").click()
    expect(page.get_by_text("200 of 243 goals are listed.")).to_be_visible()
    block = page.get_by_label("The block").inner_text()
    assert block.startswith("[GOALS]\n- Goal (status: ")
    assert block.endswith("- (200 of 243 goals listed; the list was truncated)\n[/GOALS]")


def check_every_page(browser: Browser, page: Page, root: str) -> None:
    """axe finds nothing on any tab, in both themes, at 400 px and wide, and nothing has to be scrolled sideways."""
    state = page.context.storage_state()
    addresses = [f"{root}/admin?tab={tab}" for tab in TABS] + [f"{root}/admin?tab=goals&connection=acme&employee=E013"]
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for theme in themes:
        for width in (400, 1280):
            size: ViewportSize = {"width": width, "height": 900}
            look = new_page(browser, color_scheme=theme, viewport=size, storage_state=state)
            for address in addresses:
                look.goto(address)
                look.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                look.evaluate(AXE.read_text("utf-8"))
                found = look.evaluate("axe.run().then(r => r.violations.map(v => [v.id, v.nodes[0].html]))")
                assert found == [], (address, theme, width)
                assert look.evaluate("document.documentElement.scrollWidth") <= width, (address, width)
            look.context.close()


def see_as_manager(browser: Browser, address: str) -> None:
    """Two reports are seen, and a third person's page is refused."""

    def as_user(email: str) -> Page:
        headers = {"X-Forwarded-Email": email, "X-Perfcopilot-Proxy": SECRET}
        return new_page(browser, extra_http_headers=headers)

    boss = as_user("boss@example.com")
    boss.goto(address)
    expect(boss.locator("tbody tr")).to_have_count(2)
    boss.locator("a[href*=E020]").click()
    expect(boss.get_by_label("The block")).to_be_visible()
    refused = boss.goto(f"{address}?tab=goals&connection=acme&employee=E003")
    assert refused is not None
    assert refused.status == 403
    hr = as_user("hr@example.com")
    hr.goto(f"{address}?tab=audit")
    expect(hr.get_by_text("boss@example.com")).to_have_count(1)
