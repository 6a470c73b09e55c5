"""No name breaks a page: whatever it is, it is rendered, parsed back, and equal."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals_tests.admin.filling import connect, give_goal
from perfcopilot_goals_tests.admin.reading import Document
from perfcopilot_goals_tests.admin.serving import Page
from perfcopilot_goals_tests.storage.examples import empty

EVIL = "<script>alert('x')</script>\"'&amp;&lt;{{ 7*7 }}{% raw %}\u202e</bdi></main>"
# What Postgres cannot hold is replaced before it is stored.
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40)


def test_a_script_in_every_field_of_every_tab_stays_text(page: Page) -> None:
    person = Employee("E1<script>", EVIL, EVIL, "11", EVIL)
    connect(page.database, person, Employee("E2<script>", EVIL, EVIL, None, EVIL))
    give_goal(page.database, "E1<script>", EVIL, key_result=EVIL, description=EVIL, status_type=EVIL)
    with psycopg.connect(page.database.url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, "
            "error_code) values ('acme', %s, now(), now(), now(), 'failed', %s)",
            [EVIL, EVIL],
        )
    browser = page.administrator()
    addresses = [
        "integrations",
        "employees",
        "goals",
        "syncs",
        "audit",
        "goals&connection=acme&employee=E1%3Cscript%3E",
    ]
    addresses += [
        "employees&q=%3Cscript%3E",
        "goals&q=%3Cscript%3E",
        "employees&connection=acme&done=mapped&count=%3Cscript%3E",
    ]
    for address in addresses:
        document = browser.open(f"/admin?tab={address}")
        assert {tag for tag, _ in document.tags} & {"script", "img", "iframe"} == set(), address
    assert EVIL in browser.open("/admin?tab=goals&connection=acme&employee=E1%3Cscript%3E").names
    assert "49" not in str(browser.open("/admin?tab=goals").names)


@pytest.mark.parametrize("field", ["connection", "workspace_gid", "base_url", "requests_per_minute", "token"])
def test_a_script_in_every_field_of_a_form_comes_back_as_text(page: Page, field: str) -> None:
    browser = page.administrator()
    form = browser.open("/admin").form("/admin/connections/add")
    response = browser.send(form, {"connection": "Not a name", field: EVIL})
    assert response.status_code == 422
    document = Document(response.text)
    assert not any(tag == "script" for tag, _ in document.tags)
    assert dict(document.form("/admin/connections/add").fields)[field] == ("" if field == "token" else EVIL.strip())


@given(person=NAMES, goal=NAMES, key_result=NAMES, word=NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_name_is_rendered_and_parsed_back_equal(
    page: Page, person: str, goal: str, key_result: str, word: str
) -> None:
    empty(page.database.url)
    connect(page.database, Employee("E1", person, person, "11", person), Employee("E2", person, "x", None))
    give_goal(page.database, "E1", goal, key_result=key_result, status_type=word)
    browser = page.administrator()
    response = browser.get("/admin?tab=goals&connection=acme&employee=E1")
    names = Document(response.content.decode()).names
    assert [name for name in (person, goal, key_result, word) if name not in names] == []
    assert person in Document(browser.get("/admin?tab=employees&connection=acme").content.decode()).names
