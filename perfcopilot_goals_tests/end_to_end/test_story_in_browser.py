"""The data team's day in the Dagster UI, in a browser and without a shell: a wrong workspace GID, from red to reviewed.

Somebody clicks from the catalog's front page to every answer, and reads only what the pages show. Beside the broken
connection there is a healthy one, so that each choice of a partition is one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from perfcopilot_goals.sandbox import Sandbox, sample_company
from perfcopilot_goals_tests.browser import chromium, find_chromium
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import roster_of, small_company
from perfcopilot_goals_tests.end_to_end.service import Service

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium on this machine"),
]

BROKEN, HEALTHY = "acme", "bolt"
UNKNOWN_GID = "1209999999999999"
PAGE_MS = 60_000
# A sensor looks within half a minute, a run waits for its turn, and pages ask every few seconds.
RUN_MS = 240_000
# As counted from the front page to the last answer, 43 in all. A double click is two.
MOST_CLICKS = Counter(
    {
        "see what is broken": 5,
        "find the right workspace": 6,
        "set the workspace": 7,
        "look at the result": 4,
        "find the unmapped": 3,
        "match them": 8,
        "sync again": 6,
        "find the truncated": 4,
    }
)

expect.set_options(timeout=PAGE_MS)


class Person:
    """Somebody at the UI; `clicks` counts what they click, by what they are about."""

    def __init__(self, page: Page, front_page: str) -> None:
        page.set_default_timeout(PAGE_MS)
        page.goto(front_page)
        self.page = page
        self.clicks: Counter[str] = Counter()
        self._about = ""

    def begins(self, about: str) -> None:
        self._about = about

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks[self._about] += 1

    def double_click(self, what: Locator) -> None:
        what.dblclick()
        self.clicks[self._about] += 2

    def open_link(self, name: str) -> None:
        """Dagster shortens long names in the middle and has the whole name beside it, so a link may have it twice."""
        self.click(self.page.get_by_role("link").filter(has_text=re.compile(rf"^\s*({name}\s*)+$")).first)

    def open_tab(self, name: str) -> None:
        self.click(self.page.get_by_role("tab", name=name, exact=True))

    def open_asset(self, name: str, tab: str) -> None:
        self.open_link("Catalog")
        self.open_link(name)
        self.open_tab(tab)

    def press(self, name: str) -> None:
        self.click(self.page.get_by_role("button", name=name))

    def open_launchpad(self, job: str, partition: str) -> None:
        self.open_link("Jobs")
        self.open_link(job)
        # Dagster makes the form anew when the partitions come, and closes the menu that a quick hand has opened.
        with self.page.expect_response(lambda response: "ConfigPartitions" in (response.request.post_data or "")):
            self.open_tab("Launchpad")
        self.reads("No errors")
        self.click(self.page.get_by_placeholder("Partition"))
        self.click(self.page.get_by_role("menuitem", name=partition, exact=True))
        # The form comes anew with the partition.
        self.reads(f"partition: {partition}")

    def type_over(self, shown: str, text: str) -> None:
        """Put the text in the place of a word in the launchpad's editor."""
        self.double_click(self.page.get_by_text(shown, exact=True).first)
        self.page.keyboard.type(text)

    def type_between_quotes(self, text: str) -> None:
        """The empty value that the launchpad's editor shows ends its line."""
        self.click(self.page.get_by_text("''", exact=True))
        self.page.keyboard.press("End")
        self.page.keyboard.press("ArrowLeft")
        self.page.keyboard.type(text)

    def reads(self, text: str) -> None:
        """The text is on the page, or comes while the person waits for a run."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=RUN_MS)

    def reads_of(self, label: str, value: str) -> None:
        """A line of the metadata, or of a table, says this about the label; a bar may follow."""
        line = re.compile(rf"^\s*{re.escape(label)}\s*{re.escape(value)}\s*[█-▏]*\s*$")
        expect(self.page.get_by_role("row").filter(has_text=line).first).to_be_visible(timeout=RUN_MS)


def add_connection(cli: Cli, name: str, gid: str, asana: Sandbox, roster: Path) -> None:
    where = ["--base-url", asana.base_url, "--requests-per-minute", "60000", "--workspace-gid", gid]
    assert cli("connection", "add", name, *where).returncode == 0
    assert cli("employee", "import", name, str(roster)).returncode == 0


@pytest.fixture
def ui(tmp_path: Path, roster: Path, database_url: str, cli: Cli) -> Iterator[Service]:
    """A running `dev` with a connection that has synced and one that could not, because of its workspace GID."""
    with Sandbox(small_company(), token=TOKEN) as healthy, Sandbox(sample_company(), token=TOKEN) as broken:
        add_connection(cli, HEALTHY, healthy.world.workspace_gid, healthy, roster)
        add_connection(cli, BROKEN, UNKNOWN_GID, broken, roster_of(broken.world, tmp_path))
        assert cli("sync", "--all").returncode == 2
        with Service(environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url), tmp_path / "dev.log") as service:
            yield service


def test_a_wrong_workspace_is_mended_and_its_blocks_are_judged_by_clicking_alone(ui: Service) -> None:
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        person = Person(context.new_page(), f"http://127.0.0.1:{ui.port}/")
        see_what_is_broken(person)
        gid = find_the_right_workspace(person)
        set_the_workspace(person, gid)
        look_at_the_result(person)
        find_the_unmapped(person)
        match_them(person)
        sync_again(person)
        find_the_truncated(person)
    assert person.clicks <= MOST_CLICKS


def see_what_is_broken(person: Person) -> None:
    """Which connection, which kind of error, what to do; and one click further, why."""
    person.begins("see what is broken")
    person.open_asset("connections", "Checks")
    person.reads_of("ids", BROKEN)
    person.reads_of("failed", "1")
    person.click(person.page.get_by_text("[Show Markdown]"))
    person.reads("or the job set_workspace in the UI")
    row = person.page.get_by_role("row").filter(has_text="GoalsConfigError")
    expect(row).to_contain_text(BROKEN)
    expect(row).to_contain_text("never")
    person.click(row.get_by_role("link"))
    person.reads(f"Asana knows no workspace {UNKNOWN_GID} for this token; no block was changed.")


def find_the_right_workspace(person: Person) -> str:
    """The GID, as somebody copies it from the log of `inspect_connection`."""
    person.begins("find the right workspace")
    person.open_launchpad("inspect_connection", BROKEN)
    person.press("Launch Run")
    person.reads("the token sees these workspaces: ")
    # Where the log stops by itself, so that nobody has to search it.
    expect(person.page.get_by_text("the token sees these workspaces: ").last).to_be_in_viewport()
    named = person.page.get_by_text(re.compile(r"^It sees workspace \d+ \(Thimble & Daughters"))
    found = re.search(r"\d+", named.first.inner_text())
    assert found
    return found[0]


def set_the_workspace(person: Person, gid: str) -> None:
    """Typed between the quotes that the launchpad shows."""
    person.begins("set the workspace")
    person.open_launchpad("set_workspace", BROKEN)
    person.type_between_quotes(gid)
    person.press("Launch Run")
    person.reads(f"{BROKEN}: workspace {gid}, enabled.")
    person.reads("fixed_connection_sensor syncs it within half a minute")


def look_at_the_result(person: Person) -> None:
    """The sensor has synced it meanwhile: 35 blocks of 41 employees, and which kinds of blocks they are."""
    person.begins("look at the result")
    person.open_asset("prompt_blocks", "Partitions")
    # What the page shows of a chosen partition stays as it was when it was chosen.
    person.reads("Materialized (2)")
    person.click(person.page.get_by_text(BROKEN, exact=True).first)
    person.reads("Goals by status")
    person.reads_of("rows", "35")
    person.reads_of("ok", "30")
    person.reads_of("truncated", "2")
    person.reads_of("unmapped", "6")


def find_the_unmapped(person: Person) -> None:
    person.begins("find the unmapped")
    person.open_asset("owned_goals", "Checks")
    person.reads("Employees who are not mapped to an Asana user have no goals and no block.")
    person.reads("or the job match_employees")
    person.reads_of("ids", "E036, E037, E038, E039, E040, E041")


def match_them(person: Person) -> None:
    """Two have an e-mail of their own; the log says of the others why not."""
    person.begins("match them")
    person.open_launchpad("match_employees", BROKEN)
    person.type_over("false", "true")
    person.press("Launch Run")
    person.reads("6 employees were unmapped: 2 mapped; 0 hints, 3 collisions, 1 not found")
    person.reads("E038: collision Asana user")
    person.reads("Launch the job sync_goals for the connection, and their blocks are made.")


def sync_again(person: Person) -> None:
    """The job of the five assets has no launchpad: Dagster materializes it by a dialog."""
    person.begins("sync again")
    person.open_link("Jobs")
    person.open_link("sync_goals")
    person.press("Materialize all")
    person.click(person.page.get_by_text("Select a partition or create one"))
    person.click(person.page.get_by_role("dialog").get_by_text(BROKEN, exact=True).first)
    person.press("Launch 1 run")
    person.reads("Launched run")


def find_the_truncated(person: Person) -> None:
    """Whom the new sync still leaves out, and whose goals are too many to list."""
    person.begins("find the truncated")
    person.open_asset("owned_goals", "Checks")
    person.reads_of("ids", "E038, E039, E040, E041")
    person.click(person.page.get_by_text("no_employee_is_truncated", exact=True).first)
    person.reads("Employees who own more goals than the cap, each with the number.")
    person.reads_of("limit", "200")
    person.reads_of("ids", "E002: 201, E003: 243")
