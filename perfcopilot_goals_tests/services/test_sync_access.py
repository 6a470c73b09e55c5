"""How Asana is asked for one connection: with settings that can be right, a token that is ours, and a roster."""

import threading
from pathlib import Path

import pytest

from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import AsanaContractError, GoalsConfigError, GoalsError
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.services.sync_access import (
    describe_wait,
    group_by_token,
    open_client,
    require_employees,
    require_workspace,
)
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests.asana.worlds import flat_world
from perfcopilot_goals_tests.storage.examples import add, connection

TOKEN = "canary-token-0d31"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    return load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})


@pytest.mark.parametrize(
    "value", [f'"{TOKEN}"', f"Bearer {TOKEN}", f"<{TOKEN}>", f"\ufeff{TOKEN}", f"{TOKEN}\u200b", f"{TOKEN}\n{TOKEN}"],
    ids=["quotes", "bearer", "placeholder", "bom", "invisible", "lines"],
)  # fmt: skip
@pytest.mark.fault("D20")
def test_with_a_token_that_was_copied_badly_nothing_is_sent(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", value)
    with Sandbox(flat_world(1), token=TOKEN) as asana:
        opened = open_client(database, connection(base_url=asana.base_url), settings)
        with pytest.raises(GoalsConfigError, match="connection acme: the token in environment"), opened as client:
            client.get("/users/me", {})
        assert asana.requests == []


@pytest.mark.fault("D22", "D4")
def test_the_databases_password_cannot_be_sent_as_a_token(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write a connection could have it sent to a server of theirs on this machine."""
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", database.url)
    with Sandbox(flat_world(1), token=TOKEN) as asana:
        row = connection(base_url=asana.base_url, token_ref="env:PERFCOPILOT_DATABASE_URL")
        opened = open_client(database, row, settings)
        with pytest.raises(GoalsConfigError, match="connection acme: environment variable PERFCOP"), opened as client:
            client.get("/users/me", {})
        assert asana.requests == []


def test_every_error_names_the_connection(database: Database, settings: Settings) -> None:
    opened = open_client(database, connection(), settings)
    with pytest.raises(GoalsError, match="AsanaContractError: connection acme: GET /goals: cut"), opened:
        raise AsanaContractError("GET /goals: cut")


@pytest.mark.fault("D31")
def test_whoever_waits_for_the_token_is_told_for_which_connection_and_how_long(
    database: Database, settings: Settings
) -> None:
    told: list[str] = []
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with token_lock(database, token_identity(TOKEN)):
            held.set()
            release.wait(20)

    def on_wait(line: str) -> None:
        told.append(line)
        release.set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    with open_client(database, connection(), settings, on_wait=on_wait):
        holder.join(20)
    assert told == ["acme: another sync is using the same Asana token; waiting until it is done."]
    assert describe_wait("acme", 90.4) == (
        "acme: still waiting for the sync that uses the same Asana token, 90 s so far; gives up after 30 minutes."
    )


@pytest.mark.fault("D25")
def test_a_connection_needs_somebody_on_its_roster_mapped_or_not(database: Database) -> None:
    add(database, "acme", "other")
    with database.connect("importing") as conn:
        import_employees(conn, "other", [Employee("E1", "Ada", "", None)])
    with pytest.raises(GoalsConfigError) as refused:
        require_employees(database, connection())
    assert str(refused.value) == (
        "GoalsConfigError: connection acme: its roster is empty; nothing was pulled, no request was sent. "
        "Import one: perfcopilot-goals employee import acme FILE.csv, or sync with --allow-empty"
    )
    require_employees(database, connection("other"))


def test_a_missing_gid_names_the_connection_and_the_command_that_sets_it() -> None:
    with pytest.raises(GoalsConfigError) as caught:
        require_workspace(connection(workspace_gid=None))
    assert (caught.value.connection, caught.value.message[:32]) == ("acme", "its Asana workspace GID is not s")
    assert str(caught.value).endswith(
        "Set it: perfcopilot-goals connection set acme --workspace-gid GID, or the job set_workspace in the UI"
    )


def test_connections_that_share_a_token_are_one_group_in_the_order_they_are_named() -> None:
    rows = [connection("acme"), connection("globex", token_ref="env:OTHER_TOKEN"), connection("initech")]
    assert group_by_token(["initech", "globex", "acme", "initech"], rows) == [["initech", "acme"], ["globex"]]
    assert group_by_token(["nope", "acme"], rows) == [["nope"], ["acme"]]
