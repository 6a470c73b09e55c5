"""The roster as a file: shown before it is applied, applied as shown, and downloaded to import again."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcopilot_goals.core.roster import render_roster
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals_tests.admin.filling import audited, connect
from perfcopilot_goals_tests.admin.reading import Document
from perfcopilot_goals_tests.admin.serving import Browser, Page
from perfcopilot_goals_tests.core.examples import parse_flawless_roster
from perfcopilot_goals_tests.storage.examples import everything, stored

HEAD = "employee_id,full_name,email,asana_user_gid,manager_email\n"
ANA, BO = Employee("E1", "Ana", "ana@example.com", "11"), Employee("E2", "Bo", "bo@example.com", None)


def upload(browser: Browser, text: str | bytes, **more: str) -> Document:
    form = browser.open("/admin?tab=employees&connection=acme").form("/admin/employees/preview")
    response = browser.send(form, more, file=text.encode() if isinstance(text, str) else text)
    assert response.status_code in (200, 422), response.text
    return Document(response.text)


def apply(browser: Browser, shown: Document) -> Document:
    response = browser.send(shown.form("/admin/employees/import"), file=None)
    assert response.status_code in (200, 303), response.text
    return browser.done(response) if response.status_code == 303 else Document(response.text)


def ids(page: Page) -> list[str]:
    return [row["employee_id"] for row in stored(page.database, "employees")]


def test_a_file_is_shown_first_and_changes_nothing_until_it_is_applied(page: Page) -> None:
    connect(page.database, ANA, BO)
    browser = page.administrator()
    before = everything(page.database)
    shown = upload(browser, HEAD + "E1,Ana Ruiz,ana@example.com,,\nE3,Cy,cy@example.com,13,ana@example.com\n")
    for said in ("Added: 1 (E3)", "Changed: 1 (E1)", "Removed: 0", "Not in the file, and stay: 1"):
        assert said in shown.text
    assert everything(page.database) == before
    assert "The file is imported." in apply(browser, shown).text
    assert [(r["full_name"], r["asana_user_gid"]) for r in stored(page.database, "employees")] == [
        ("Ana Ruiz", "11"), ("Bo", None), ("Cy", "13"),
    ]  # fmt: skip
    assert audited(page.database) == [("local", "imported_roster", ["E3", "E1"])]


def test_employees_who_are_not_in_the_file_are_removed_only_if_that_is_asked(page: Page) -> None:
    connect(page.database, ANA, BO)
    browser = page.administrator()
    shown = upload(browser, HEAD + "E1,Ana,ana@example.com,11,\n", replaces="on")
    assert "Removed: 1 (E2)" in shown.text
    apply(browser, shown)
    assert ids(page) == ["E1"]
    assert audited(page.database) == [("local", "imported_roster", ["E2"])]


def test_bad_lines_are_named_by_number_and_the_good_ones_can_be_imported(page: Page) -> None:
    connect(page.database, ANA)
    browser = page.administrator()
    shown = upload(browser, HEAD + "E2,,bo@example.com,,\nE3,Cy,cy@example.com,1.2E+15,\nE4,Di,di@example.com,,\n")
    for said in ("Line 2: full_name is empty", "Line 3: asana_user_gid is not digits only", "Added: 1 (E4)"):
        assert said in shown.text
    apply(browser, shown)
    assert ids(page) == ["E1", "E4"]


def test_a_file_without_a_good_line_cannot_be_imported(page: Page) -> None:
    connect(page.database, ANA)
    shown = upload(page.administrator(), HEAD + "E2,,bo@example.com,,\n")
    assert "No line can be imported. Correct the file and upload it again." in shown.text
    assert [form for form in shown.forms if form.action == "/admin/employees/import"] == []


def test_with_a_bad_line_nobody_can_be_removed(page: Page) -> None:
    connect(page.database, ANA, BO)
    shown = upload(page.administrator(), HEAD + "E1,,ana@example.com,,\n", replaces="on")
    assert "full_name is empty" in shown.text
    assert [form for form in shown.forms if form.action == "/admin/employees/import"] == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no file was chosen", id="empty"),
        pytest.param(b"\xff\xfe\x00\xd8", "nothing was imported", id="binary"),
        pytest.param(b"name,mail\nAna,a@b.c\n", "the roster's header must name", id="header"),
        pytest.param(b"x" * (9 * 2**20), "the file is larger than 8 MB", id="large"),
    ],
)
def test_what_is_no_roster_is_refused_beside_the_field(page: Page, content: bytes, says: str) -> None:
    connect(page.database, ANA)
    shown = upload(page.administrator(), content)
    assert says in shown.text
    assert [a.get("aria-describedby") for t, a in shown.tags if a.get("type") == "file"] == ["file-problem"]
    assert ids(page) == ["E1"]


def test_a_roster_that_changed_after_the_preview_is_shown_again_and_not_overwritten(page: Page) -> None:
    connect(page.database, ANA, BO)
    browser = page.administrator()
    first = upload(browser, HEAD + "E1,Ana,ana@example.com,11,\n", replaces="on")
    second = upload(browser, HEAD + "E9,Zo,zo@example.com,,\n")
    apply(browser, second)
    shown = apply(browser, first)
    assert "The roster has changed since you saw this" in shown.text
    assert "Removed: 2 (E2, E9)" in shown.text
    assert ids(page) == ["E1", "E2", "E9"]
    apply(browser, shown)
    assert ids(page) == ["E1"]


def test_a_download_imports_again_without_a_change(page: Page) -> None:
    odd = Employee("E,3", 'Cy "the Old", <b>', "=1+1@example.com", "13", "ana@example.com")
    connect(page.database, ANA, BO, odd)
    browser = page.administrator()
    response = browser.get("/admin/employees.csv?connection=acme")
    assert response.headers["Content-Disposition"] == 'attachment; filename="employees-acme.csv"'
    shown = upload(browser, response.content, replaces="on")
    assert "As they were: 3" in shown.text
    assert "Added: 0" in shown.text


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S", "Zs", "Cf"]), min_size=1)


@given(st.lists(st.tuples(NAMES, NAMES), max_size=5))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_roster_that_was_imported_once_is_read_again_as_it_was(people: list[tuple[str, str]]) -> None:
    roster = [
        Employee(f"E{number}", name.strip(), email.strip(), f"{number + 1}", None)
        for number, (name, email) in enumerate(people)
        if name.strip()
    ]
    assert parse_flawless_roster(render_roster(roster)) == roster
