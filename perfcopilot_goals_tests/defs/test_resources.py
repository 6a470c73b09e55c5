"""What a run is given: a database that is ready, one client, and no more than it needs."""

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK
from perfcopilot_goals.defs.progress import Progress
from perfcopilot_goals.defs.resources import AsanaResource, StoreResource
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import AsanaUnavailableError, GoalsConfigError, GoalsStoreError
from perfcopilot_goals.services.sync_access import require_workspace
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running
from perfcopilot_goals_tests.storage.examples import connection


def store_at(url: str) -> StoreResource:
    return StoreResource(settings=load_settings({"PERFCOPILOT_DATABASE_URL": url}))


@pytest.mark.parametrize("gid", ["77", " 77 ", "00123", "1201000000000001"])
def test_a_gid_is_digits(gid: str) -> None:
    assert require_workspace(connection(workspace_gid=gid)) == gid.strip()


@pytest.mark.parametrize("gid", [None, "", "   ", "abc", "12e3", "77\n8", "٧٧", "7 7", "-7", "²"], ids=ascii)
def test_anything_else_is_a_missing_setting(gid: str | None) -> None:
    with pytest.raises(
        GoalsConfigError, match=r"connection acme: its Asana workspace GID is not .*--workspace-gid GID"
    ):
        require_workspace(connection(workspace_gid=gid))


def test_the_store_migrates_a_new_database_when_it_is_first_needed(
    fresh_url: str,
) -> None:
    with psycopg.connect(fresh_url, autocommit=True) as admin:
        admin.execute("drop schema perfcopilot_goals, perfcopilot_dagster cascade")
        store = store_at(fresh_url)
        assert admin.execute("select to_regclass('perfcopilot_goals.syncs')").fetchone() == (None,)
        with psycopg.connect(store.database.url) as conn:
            assert conn.execute("select count(*) from perfcopilot_goals.syncs").fetchone() == (0,)


def test_a_store_that_could_not_be_opened_is_opened_once_it_can_be(fresh_url: str) -> None:
    """A code server that came up before Postgres must not need a restart."""
    store = store_at(fresh_url)
    server, _, name = fresh_url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(f"alter database {name} rename to not_there_yet")
        with pytest.raises(GoalsStoreError):
            _ = store.database
        admin.execute(f"alter database not_there_yet rename to {name}")
    assert store.database.url == fresh_url


def test_the_settings_that_were_handed_in_count_and_not_the_environment(
    running: Running, fresh_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run must not write to another database than the one that its code location was loaded with."""
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", fresh_url)
    monkeypatch.setenv("PERFCOPILOT_ASANA_PROXY", "http://127.0.0.1:1")
    assert running.sync().success
    assert running.block("E1")
    with psycopg.connect(fresh_url) as other:
        assert other.execute("select count(*) from perfcopilot_goals.syncs").fetchone() == (0,)


def settings_of(running: Running, **changes: str) -> Connection:
    """The connection as it is stored, after these changes."""
    with running.database.connect("changing") as conn:
        return set_connection(conn, running.name, changes)


def test_a_run_has_one_client_and_reports_its_stats_once(running: Running) -> None:
    asana = AsanaResource(store=StoreResource(settings=load_settings()), report=lambda _: None, clock=SYSTEM_CLOCK)
    settings = settings_of(running)
    client = asana.client_for(settings)
    assert asana.client_for(settings) is client
    client.get("/users/me", {})
    assert asana.notes()["requests"] == 1
    assert asana.notes()["requests"] == 0
    asana.teardown_after_execution(dg.build_init_resource_context())


def test_the_client_needs_a_token_before_it_asks_for_a_lock(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASANA_ACCESS_TOKEN")
    with pytest.raises(GoalsConfigError, match="has no Asana token"):
        AsanaResource(
            store=StoreResource(settings=load_settings()), report=lambda _: None, clock=SYSTEM_CLOCK
        ).client_for(connection(running.name))


@pytest.mark.fault("A42", "A46")
def test_a_run_goes_through_the_proxy_that_is_set(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFCOPILOT_ASANA_PROXY", "http://somebody:secret-of-the-proxy@127.0.0.1:1")
    asana = AsanaResource(store=StoreResource(settings=load_settings()), report=lambda _: None, clock=FakeClock())
    with pytest.raises(AsanaUnavailableError, match="the proxy that PERFCOPILOT_ASANA_PROXY names") as caught:
        asana.client_for(settings_of(running, base_url="https://app.asana.com/api/1.0")).get("/users/me", {})
    assert "secret-of-the-proxy" not in f"{asana!r} {caught.value!r}"
    asana.teardown_after_execution(dg.build_init_resource_context())


@pytest.mark.fault("H2", "H1")
def test_neither_resource_shows_a_token_or_a_url(running: Running, database_url: str) -> None:
    store = StoreResource(settings=load_settings())
    asana = AsanaResource(store=store, report=lambda _: None, clock=SYSTEM_CLOCK)
    asana.client_for(settings_of(running))
    assert store.database
    for shown in (repr(store), repr(asana)):
        assert TOKEN not in shown
        assert database_url not in shown
    asana.teardown_after_execution(dg.build_init_resource_context())


def test_progress_is_shown_with_its_counts() -> None:
    told = Progress("acme", "goals walked", 3, 4, 12, 1)
    assert str(told) == "acme: 3 of 4 goals walked, 12 requests, 1 rejected"
    assert str(Progress("acme", "goals listed", 300, None, 3, 0)) == "acme: 300 goals listed, 3 requests"


def test_progress_is_logged_at_the_end_and_not_at_every_step(running: Running) -> None:
    result = running.sync()
    log = [entry.user_message for entry in running.instance.all_logs(result.run_id)]
    assert [line for line in log if "goals walked" in line] == [f"{running.name}: 4 of 4 goals walked, 7 requests"]
