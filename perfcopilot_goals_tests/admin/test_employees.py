"""The employees on the page: suggested, mapped many at once, unmapped, searched and paged."""

import time

import psycopg
import pytest

from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.sandbox import Sandbox, roster_csv
from perfcopilot_goals.services.connections import change_connection, create_connection
from perfcopilot_goals.services.roster import import_roster
from perfcopilot_goals.services.tokens import store_token
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.admin.conftest import TOKEN
from perfcopilot_goals_tests.admin.filling import audited, connect
from perfcopilot_goals_tests.admin.reading import Document
from perfcopilot_goals_tests.admin.serving import Browser, Page, seconds_of
from perfcopilot_goals_tests.storage.examples import everything, stored

VERA, WILLEM = "vera.colander@example.com", "Willem.Nutmeg@Example.com"


@pytest.fixture
def company(page: Page, asana: Sandbox) -> Page:
    """The sample company with its roster: six of 41 are unmapped."""
    given = {
        "workspace_gid": asana.world.workspace_gid,
        "base_url": asana.base_url,
        "requests_per_minute": 60_000,
        "token_ref": store_token(page.settings, "acme", TOKEN),
    }
    create_connection(page.database, page.settings, "acme", given)
    import_roster(page.database, "acme", roster_csv(asana.world))
    return page


def open_tab(browser: Browser, more: str = "") -> Document:
    return browser.open(f"/admin?tab=employees&connection=acme{more}")


def suggested(browser: Browser) -> Document:
    return browser.done(browser.send(open_tab(browser).form("/admin/employees/suggest")))


def gid_of(asana: Sandbox, email: str) -> str:
    (gid,) = [gid for gid, person in asana.world.people.items() if person.email == email]
    return gid


def mapping(page: Page) -> dict[str, str | None]:
    return {row["employee_id"]: row["asana_user_gid"] for row in stored(page.database, "employees")}


def test_the_unmapped_come_first_and_exact_matches_are_chosen_beforehand(company: Page, asana: Sandbox) -> None:
    browser = company.administrator()
    document = suggested(browser)
    assert document.text.index("Unmapped (6)") < document.text.index("Mapped (35)")
    form = document.form("/admin/employees/map")
    assert form.values("employee") == ["E036", "E037", "E038", "E039", "E040", "E041"]
    assert form.values("take") == ["E036", "E037"]
    assert "same e-mail" in document.text
    assert "the same e-mail as E039" in document.text
    asked = len(asana.requests)
    open_tab(browser)
    assert len(asana.requests) == asked, "a page asks Asana nothing"


def test_many_are_mapped_at_once_by_suggestion_by_gid_by_email_and_by_name(company: Page, asana: Sandbox) -> None:
    browser = company.administrator()
    form = suggested(browser).form("/admin/employees/map")
    typed = ["", "", gid_of(asana, "desk@example.com"), "pat@visitors.example", "Kim Contractor", ""]
    document = browser.done(browser.send(form, {"user": typed}))
    assert "Saved: 5 mapped" in document.text
    assert "Unmapped (1)" in document.text
    now = mapping(company)
    assert (now["E036"], now["E037"]) == (gid_of(asana, VERA), gid_of(asana, WILLEM))
    assert now["E039"] == gid_of(asana, "pat@visitors.example")
    assert now["E041"] is None
    ((actor, action, subject),) = audited(company.database)
    assert (actor, action, sorted(subject)) == ("local", "mapped", ["E036", "E037", "E038", "E039", "E040"])


def test_one_that_cannot_be_mapped_stops_all_and_nothing_typed_is_lost(company: Page, asana: Sandbox) -> None:
    browser = company.administrator()
    form = suggested(browser).form("/admin/employees/map")
    before = everything(company.database)
    taken = mapping(company)["E001"] or ""
    typed = ["", "", "Nobody at all", taken, gid_of(asana, VERA), "Sam Marzipan"]
    response = browser.send(form, {"user": typed, "take": ["E036"]})
    assert response.status_code == 422
    document = Document(response.text)
    again = document.form("/admin/employees/map")
    assert again.values("user") == typed
    assert again.values("take") == ["E036"]
    assert "no Asana user that was listed is called that" in document.text
    assert f"Asana user {taken} is mapped to E001" in document.text
    assert "several Asana users are called that" in document.text
    assert everything(company.database) == before


def test_two_employees_cannot_be_given_one_user(company: Page, asana: Sandbox) -> None:
    browser = company.administrator()
    form = open_tab(browser).form("/admin/employees/map")
    desk = gid_of(asana, "desk@example.com")
    response = browser.send(form, {"user": ["", "", desk, desk, "", ""]})
    assert response.status_code == 422
    assert "is chosen for 2 employees" in response.text
    assert mapping(company)["E038"] is None


def test_what_was_mapped_meanwhile_is_not_overwritten(company: Page, asana: Sandbox) -> None:
    one, other = company.administrator(), company.administrator()
    form = open_tab(one).form("/admin/employees/map")
    vera, willem = gid_of(asana, VERA), gid_of(asana, WILLEM)
    theirs = open_tab(other).form("/admin/employees/map")
    assert other.send(theirs, {"user": [vera, "", "", "", "", ""]}).status_code == 303
    response = one.send(form, {"user": [willem, "", "", "", "", ""]})
    assert response.status_code == 422
    assert f"was mapped to Asana user {vera} meanwhile" in response.text
    assert mapping(company)["E036"] == vera


def test_an_employee_is_unmapped(company: Page) -> None:
    browser = company.administrator()
    document = browser.done(browser.send(open_tab(browser).form("/admin/employees/unmap", employee="E001")))
    assert "Unmapped. The next sync drops the block." in document.text
    assert mapping(company)["E001"] is None
    assert audited(company.database) == [("local", "unmapped", ["E001"])]


def test_swapped_users_are_warned_of(company: Page) -> None:
    with psycopg.connect(company.database.url) as conn:
        conn.execute(
            "update perfcopilot_goals.employees e set asana_user_gid = o.asana_user_gid "
            "from perfcopilot_goals.employees o where (e.employee_id, o.employee_id) in (('E013', 'E014'), "
            "('E014', 'E013'))"
        )
    browser = company.administrator()
    text = suggested(browser).text
    assert "May be mapped to somebody else" in text
    assert "another Asana user has this employee's e-mail, and that Asana user has another employee's" in text


def test_the_page_does_not_wait_when_asana_asks_for_eleven_minutes(company: Page, asana: Sandbox) -> None:
    """It once hung for as long as a sync may wait, and no sync could use the token meanwhile."""
    # A token of its own, because its gate stays closed.
    token_ref = store_token(company.settings, "acme", "throttled-token")
    change_connection(company.database, company.settings, "acme", {"token_ref": token_ref})
    asana.faults = faults.status(429, retry_after="660")
    browser = company.administrator()
    forms = [
        browser.open("/admin").form("/admin/connections/test", connection="acme"),
        open_tab(browser).form("/admin/employees/suggest"),
    ]
    began = time.monotonic()
    for form, why in zip(forms, ["Asana asked to wait 6", "after a 429 no request leaves for 6"], strict=True):
        response = browser.send(form)
        assert response.status_code == 503
        assert why in Document(response.text).text
    assert time.monotonic() - began < 60
    assert len(asana.requests) == 1, "the second form knows already that Asana asked to wait"


def test_while_a_sync_has_the_token_the_page_does_not_wait(company: Page) -> None:
    browser = company.administrator()
    with token_lock(company.database, token_identity(TOKEN)):
        response = browser.send(open_tab(browser).form("/admin/employees/suggest"))
    assert response.status_code == 503
    assert "a sync is using the same Asana token at the moment" in response.text


def test_a_search_finds_by_id_name_and_email_and_its_percent_is_a_percent(page: Page) -> None:
    people = [Employee("E1", "Ana Ruiz", "ana@example.com", "1"), Employee("E2", "Bo 100%", "bo@example.com", None)]
    connect(page.database, *people)
    browser = page.administrator()
    for text, found in (
        ("ana@", ["Ana Ruiz"]),
        ("RUIZ", ["Ana Ruiz"]),
        ("e2", ["Bo 100%"]),
        ("%25", ["Bo 100%"]),
        ("_", []),
    ):
        names = open_tab(browser, f"&q={text}").names
        assert [name for name in ("Ana Ruiz", "Bo 100%") if name in names] == found


def test_an_unknown_connection_is_an_error_in_words(page: Page) -> None:
    response = page.administrator().get("/admin?tab=employees&connection=nope")
    assert response.status_code == 422
    assert "there is no connection" in Document(response.text).text


def test_a_page_of_ten_thousand_employees_takes_at_most_300_ms(page: Page) -> None:
    people = [
        Employee(f"E{n:05}", f"Person Number {n}", f"person.{n}@example.com", None if n % 10 == 0 else f"{n + 1}")
        for n in range(10_000)
    ]
    connect(page.database, *people)
    browser = page.administrator()
    for address in ("", "&page=7", "&mapped=90", "&q=Number+99", "&q=nobody"):
        assert fastest(browser, f"/admin?tab=employees&connection=acme{address}") < 0.3, address
    assert fastest(browser, "/admin?tab=goals&connection=acme&page=150") < 0.3


def fastest(browser: Browser, address: str) -> float:
    return min(seconds_of(lambda: browser.open(address)) for _ in range(3))
