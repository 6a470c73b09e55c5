"""Connections on the page: added, tested, given a workspace and a token, synced and removed."""

import logging
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.admin.conftest import TOKEN
from perfcopilot_goals_tests.admin.filling import audited, connect
from perfcopilot_goals_tests.admin.reading import Document
from perfcopilot_goals_tests.admin.serving import Browser, Page
from perfcopilot_goals_tests.storage.examples import everything, stored


def add(browser: Browser, asana: Sandbox, **more: str) -> None:
    form = browser.open("/admin").form("/admin/connections/add")
    given = {"connection": "acme", "token": TOKEN, "base_url": asana.base_url, "requests_per_minute": "60000"}
    assert browser.send(form, given | more).status_code == 303


def test_the_first_page_says_what_to_do(page: Page) -> None:
    text = page.administrator().open("/admin?tab=integrations").text
    assert "No connection yet. Add your Asana workspace below" in text


def test_a_connection_is_added_tested_and_given_its_workspace(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana)
    assert page.dagster.partitions == {"acme"}
    document = browser.open("/admin")
    assert "Next: test the connection and choose its workspace" in document.text

    tested = browser.send(document.form("/admin/connections/test", connection="acme"))
    shown = Document(tested.text)
    assert "The token is that of Sync account" in shown.text
    assert "Thimble & Daughters (sample)" in shown.text
    (choice,) = [form for form in shown.forms if ("workspace_gid", asana.world.workspace_gid) in form.boxes]
    browser.done(browser.send(choice))
    (row,) = stored(page.database, "connections")
    assert row["workspace_gid"] == asana.world.workspace_gid
    actions = [action for _, action, _ in audited(page.database)]
    assert actions == ["added_connection", "changed_connection"]


def test_a_token_goes_into_a_file_of_its_own_and_is_never_shown(
    page: Page, asana: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    browser = page.administrator()
    with caplog.at_level(logging.DEBUG):
        add(browser, asana)
        responses = [browser.get(f"/admin?tab={tab}") for tab in ("integrations", "syncs", "audit")]
        responses.append(browser.send(browser.open("/admin").form("/admin/connections/test", connection="acme")))
    (row,) = stored(page.database, "connections")
    path = Path(row["token_ref"].removeprefix("file:"))
    assert (path.read_text().strip(), path.stat().st_mode & 0o777) == (TOKEN, 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for said in (*(response.text for response in responses), caplog.text, str(everything(page.database))):
        assert TOKEN not in said


def test_a_new_token_replaces_the_old_file_and_an_empty_field_keeps_it(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana)
    (before,) = stored(page.database, "connections")
    settings = browser.open("/admin").form("/admin/connections/change", has_switches="1")
    browser.done(browser.send(settings, {"requests_per_minute": "150"}))
    (kept,) = stored(page.database, "connections")
    assert (kept["token_ref"], kept["requests_per_minute"]) == (before["token_ref"], 150)
    browser.done(browser.send(settings, {"token": "another-token-1"}))
    (after,) = stored(page.database, "connections")
    assert after["token_ref"] != before["token_ref"]
    assert after["updated_at"] > kept["updated_at"], "so the sensor that mends connections sees it"
    assert [p.read_text() for p in page.settings.token_folder.iterdir()] == ["another-token-1\n"]


def test_a_refused_form_loses_nothing_but_the_token_and_says_what_is_wrong_beside_each_field(page: Page) -> None:
    browser = page.administrator()
    form = browser.open("/admin").form("/admin/connections/add")
    given = {"connection": "Acme!", "workspace_gid": "12x", "requests_per_minute": "many", "token": f"Bearer {TOKEN}"}
    given["base_url"] = "https://evil.example/api"
    before = everything(page.database)
    response = browser.send(form, given)
    assert response.status_code == 422
    document = Document(response.text)
    again = dict(document.form("/admin/connections/add").fields)
    assert {name: again[name] for name in given if name != "token"} == {k: v for k, v in given.items() if k != "token"}
    assert again["token"] == ""
    described = {
        a.get("name"): a.get("aria-describedby") for t, a in document.tags if t == "input" and a.get("aria-invalid")
    }
    assert set(described) == set(given)
    ids = {a.get("id") for _, a in document.tags}
    assert set(described.values()) <= ids
    for said in (
        "begins with a letter or digit",
        "must be Asana's numeric id",
        "are 1 to 60,000",
        "begins with Bearer",
    ):
        assert said in document.text
    assert TOKEN not in response.text
    assert everything(page.database) == before
    assert not page.settings.token_folder.exists()


def test_a_name_that_is_taken_is_refused_and_its_token_is_not_kept(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana)
    form = browser.open("/admin").form("/admin/connections/add")
    for name, says in (("acme", "acme exists already"), ("Acme!", "begins with a letter or digit")):
        response = browser.send(form, {"connection": name, "token": "other-token"})
        assert response.status_code == 422
        assert says in response.text
        assert "The token was not kept, since the form was refused. Enter it again." in response.text
    assert [p.read_text() for p in page.settings.token_folder.iterdir()] == [f"{TOKEN}\n"]


def test_a_change_that_postgres_refuses_keeps_the_form_and_not_the_token(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana)
    form = browser.open("/admin").form("/admin/connections/change", has_switches="1")
    with psycopg.connect(page.database.url, autocommit=True) as conn:
        limit = "alter table perfcopilot_goals.connections"
        conn.execute(f"{limit} add constraint too_slow check (requests_per_minute > 1000)")
        try:
            response = browser.send(form, {"requests_per_minute": "150", "token": "other-token"})
        finally:
            conn.execute(f"{limit} drop constraint too_slow")
    assert response.status_code == 503
    document = Document(response.text)
    again = dict(document.form("/admin/connections/change", has_switches="1").fields)
    assert (again["requests_per_minute"], again["token"]) == ("150", "")
    assert "23514" in document.text
    assert "The token was not kept, since the form was refused. Enter it again." in document.text
    assert [p.read_text() for p in page.settings.token_folder.iterdir()] == [f"{TOKEN}\n"]


def test_where_tokens_are_not_typed_the_place_of_the_token_is_shown(serve: Callable[..., Page], asana: Sandbox) -> None:
    page = serve(PERFCOPILOT_ADMIN_TOKENS="off")
    browser = page.administrator()
    form = browser.open("/admin").form("/admin/connections/add")
    assert "token" not in dict(form.fields)
    assert dict(form.fields)["token_ref"] == "env:ASANA_ACCESS_TOKEN"
    assert browser.send(form, {"connection": "acme", "token": TOKEN}).status_code == 303
    assert not page.settings.token_folder.exists(), "not even if one is sent all the same"
    for token_ref in ("env:PERFCOPILOT_DATABASE_URL", "file:/proc/self/environ", TOKEN):
        changed = browser.open("/admin").form("/admin/connections/change", has_switches="1")
        response = browser.send(changed, {"token_ref": token_ref})
        assert response.status_code == 422


def test_a_sync_starts_once_and_is_in_the_audit_log(page: Page) -> None:
    connect(page.database)
    browser = page.administrator()
    form = browser.open("/admin").form("/admin/sync", connection="acme")
    assert "has started" in browser.done(browser.send(form)).text
    assert page.dagster.started == ["acme"]
    page.dagster.is_busy = True
    assert "is starting already" in browser.done(browser.send(form)).text
    with psycopg.connect(page.database.url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, state) "
            "values ('acme', 'run-7', now(), now(), 'running')"
        )
    assert browser.send(form).status_code == 422
    shown = browser.open("/admin")
    assert "A sync has been running since" in shown.text
    assert "http://127.0.0.1:3000/runs/run-7" in shown.links()
    assert page.dagster.started == ["acme"]
    assert audited(page.database) == [("local", "started_sync", [])], "the others started nothing"


def test_a_failed_sync_says_what_to_do(page: Page) -> None:
    connect(page.database)
    with psycopg.connect(page.database.url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, "
            "error_code) values ('acme', 'run-7', now(), now(), now(), 'failed', 'AsanaAccessError')"
        )
    for tab in ("integrations", "syncs"):
        text = page.administrator().open(f"/admin?tab={tab}").text
        assert "AsanaAccessError" in text
        assert "Asana refused the token or the workspace: test the connection, or enter a new token." in text


def test_a_connection_that_asana_refuses_says_so_in_its_card(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana, token="wrong-token")
    response = browser.send(browser.open("/admin").form("/admin/connections/test", connection="acme"))
    assert response.status_code == 422
    assert "401" in response.text
    assert "wrong-token" not in response.text


def test_a_connection_goes_only_if_its_name_is_typed(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana)
    form = browser.open("/admin").form("/admin/connections/remove", connection="acme")
    refused = browser.send(form, {"typed": "acm"})
    assert (refused.status_code, 'value="acm"' in refused.text) == (422, True)
    assert stored(page.database, "connections") != []
    browser.done(browser.send(form, {"typed": "acme"}))
    assert stored(page.database, "connections") == []
    assert list(page.settings.token_folder.iterdir()) == []
    assert page.dagster.partitions == set()
    assert audited(page.database)[-1] == ("local", "removed_connection", [])


def test_a_disabled_connection_is_no_partition_and_is_not_synced(page: Page) -> None:
    connect(page.database)
    browser = page.administrator()
    document = browser.open("/admin")
    sync = document.form("/admin/sync", connection="acme")
    settings = document.form("/admin/connections/change", has_switches="1")
    settings.fields = [(name, value) for name, value in settings.fields if name != "enabled"]
    page.dagster.partitions.add("acme")
    browser.done(browser.send(settings))
    assert page.dagster.partitions == set()
    assert browser.send(sync).status_code == 422
    assert page.dagster.started == []


def test_without_dagsters_storage_no_connection_is_added_changed_or_removed(page: Page, asana: Sandbox) -> None:
    browser = page.administrator()
    add(browser, asana)
    before = stored(page.database, "connections")
    document = browser.open("/admin")
    page.dagster.is_away = True
    refused = [
        browser.send(document.form("/admin/connections/add"), {"connection": "other", "token": "1/another"}),
        browser.send(document.form("/admin/connections/change", connection="acme"), {"requests_per_minute": "77"}),
        browser.send(document.form("/admin/connections/remove", connection="acme"), {"typed": "acme"}),
    ]
    assert [response.status_code for response in refused] == [503, 503, 503]
    assert all("Postgres did not respond" in response.text for response in refused)
    assert stored(page.database, "connections") == before
