"""The logs on the page: what each sync brought and lacked, and who did what."""

import psycopg
from psycopg.types.json import Jsonb

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.services.erasure import erase_person, scan_for_leftovers
from perfcopilot_goals_tests.admin.filling import audited, connect, give_goal
from perfcopilot_goals_tests.admin.serving import Page
from perfcopilot_goals_tests.storage.examples import stored

ANA = Employee("E1", "Ana Ruiz", "ana@example.com", "11", "bo@example.com")
BO = Employee("E2", "Bo Li", "bo@example.com", "12")


def test_a_sync_says_what_it_brought_and_what_was_incomplete_by_id(page: Page) -> None:
    connect(page.database)
    notes = {
        "unread": ["901", "902"],
        "unread_lists": 2,
        "hidden": [{"goal_gid": "903", "count": 4}],
        "hidden_subgoals": 4,
    }
    cut = [{"employee_id": "E2", "goals_owned": 243, "goals_listed": 200}]
    tables = {
        "raw_workspace_goals": {"rows": 7},
        "owned_goals": {"rows": 5},
        "subgoals": {"rows": 3, "notes": notes},
        "prompt_blocks": {"rows": 2, "notes": {"truncated_blocks": cut, "unmapped": ["E8", "E9"]}},
    }
    with psycopg.connect(page.database.url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, "
            "requests, counts) values ('acme', 'run-9', now(), now(), now(), 'complete', 12, %s)",
            [Jsonb({"tables": tables})],
        )
    document = page.administrator().open("/admin?tab=syncs&connection=acme")
    for said in (
        "7 in the workspace, 5 goals of employees, 3 key results",
        "not read of goal 901, 902",
        "4 key results hidden",
        "Block truncated of E2.",
        "2 employees unmapped",
    ):
        assert said in document.text
    assert "903" in document.text
    assert "http://127.0.0.1:3000/runs/run-9" in document.links()
    beyond = page.administrator().open("/admin?tab=syncs&connection=acme&page=99999").text
    assert "7 in the workspace" in beyond
    assert "No sync yet" not in beyond
    assert "No sync yet" in page.administrator().open("/admin?tab=syncs&connection=other").text


def test_the_log_shows_who_looked_at_whom_and_no_text(behind_proxy: Page) -> None:
    connect(behind_proxy.database, ANA, BO)
    give_goal(behind_proxy.database, "E1", "Canary goal")
    behind_proxy.user("bo@example.com").open("/admin?tab=goals&connection=acme&employee=E1")
    text = behind_proxy.user("hr@example.com").open("/admin?tab=audit").text
    assert "bo@example.com looked at goals acme E1" in text
    assert "Canary" not in str(stored(behind_proxy.database, "audit_log"))
    assert "Ana" not in str(stored(behind_proxy.database, "audit_log"))


def test_an_erased_employee_leaves_the_log_as_subject_and_as_actor(behind_proxy: Page) -> None:
    page = behind_proxy
    connect(page.database, ANA, BO)
    give_goal(page.database, "E1", "Canary goal")
    page.user("bo@example.com").open("/admin?tab=goals&connection=acme&employee=E1")
    page.user("hr@example.com").open("/admin?tab=goals&connection=acme&employee=E2")
    erased = erase_person(page.database, page.settings, "acme", "E2")
    assert erased.removed["perfcopilot_goals.audit_log, ids only"] == 2
    assert audited(page.database) == [
        ("[erased]", "looked_at_goals", ["E1"]),
        ("hr@example.com", "looked_at_goals", []),
    ]
    assert scan_for_leftovers(page.database, page.settings, ["bo@example.com", "E2"]) == {}


def test_an_administrator_who_is_still_employed_elsewhere_stays_in_that_log(page: Page) -> None:
    connect(page.database, BO)
    connect(page.database, BO, ANA, name="beta")
    with psycopg.connect(page.database.url) as conn:
        for name in ("acme", "beta"):
            conn.execute(
                "insert into perfcopilot_goals.audit_log (connection, at, actor, action, subject) "
                "values (%s, now(), 'bo@example.com', 'mapped', '[\"E2\"]')",
                [name],
            )
    erase_person(page.database, page.settings, "acme", "E2")
    assert audited(page.database) == [("[erased]", "mapped", []), ("bo@example.com", "mapped", ["E2"])]


def test_the_log_of_a_removed_connection_stays_without_its_peoples_ids(page: Page) -> None:
    connect(page.database, ANA)
    browser = page.administrator()
    give_goal(page.database, "E1", "Grow")
    browser.open("/admin?tab=goals&connection=acme&employee=E1")
    form = browser.open("/admin").form("/admin/connections/remove", connection="acme")
    browser.done(browser.send(form, {"typed": "acme"}))
    assert audited(page.database) == [("local", "looked_at_goals", []), ("local", "removed_connection", [])]
