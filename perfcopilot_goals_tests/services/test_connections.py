"""Connections made and changed with settings that can be right, and checked against Asana."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.errors import AsanaAccessError, AsanaUnavailableError, GoalsConfigError
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.services.connections import (
    DEFAULTS,
    change_connection,
    check_connection,
    create_connection,
    delete_connection,
)
from perfcopilot_goals.services.redaction import MARK
from perfcopilot_goals.services.tokens import store_token
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.connections import read_connection, read_connections
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.worlds import WORKSPACE, flat_world
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.scripted_faults import Script

TOKEN = "canary-token-c4ec"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    return load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(flat_world(1), token=TOKEN, faults=faults.closed("99")) as asana:
        yield asana


def test_a_connection_is_made_with_defaults_changed_and_removed(database: Database, settings: Settings) -> None:
    made = create_connection(database, settings, "acme", {"workspace_gid": " 77\n"})
    assert (made.workspace_gid, made.base_url, made.enabled) == ("77", DEFAULTS["base_url"], True)
    changed = change_connection(database, settings, "acme", {"base_url": "https://app.asana.com/api/1.0/"})
    with database.connect("looking") as conn:
        assert read_connection(conn, "acme") == made == changed
    assert delete_connection(database, settings, "acme") == 0
    with database.connect("looking") as conn:
        assert read_connections(conn) == []


@pytest.mark.parametrize("is_removed", [True, False], ids=["removed", "changed"])
def test_a_token_that_was_typed_in_goes_once_no_connection_names_it(
    database: Database, settings: Settings, is_removed: bool
) -> None:
    token_ref = store_token(settings, "acme", "typed-token-1")
    kept = settings.token_folder / "mine"
    kept.write_text("another-token-1")
    for name in ("acme", "globex"):
        create_connection(database, settings, name, {"token_ref": token_ref})
    for name, is_left in (("acme", True), ("globex", False)):
        change_connection(database, settings, name, {"requests_per_minute": 150})
        if is_removed:
            delete_connection(database, settings, name)
        else:
            change_connection(database, settings, name, {"token_ref": f"file:{kept}"})
        assert Path(token_ref.removeprefix("file:")).exists() == is_left
    if not is_removed:
        change_connection(database, settings, "acme", {"token_ref": "env:ASANA_ACCESS_TOKEN"})
    assert list(settings.token_folder.iterdir()) == [kept], "a file that a person made stays"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param({"workspace_gid": "12x"}, "the workspace GID must be Asana's numeric id", id="letters"),
        pytest.param(
            {"workspace_gid": "https://app.asana.com/1/15793206719/project/1206043162733419/list"},
            "Give the number after /1/ in that address",
            id="D29-address",
        ),
        pytest.param(
            {"workspace_gid": "https://app.asana.com/0/1206043162733419/12058909747493732"},
            "This address does not have it. To list the right ones: perfcopilot-goals connection check acme, or the "
            "job inspect_connection in the UI",
            id="D29-old-address",
        ),
        pytest.param({"requests_per_minute": 0}, "requests per minute are 1 to 60,000", id="D30-none"),
        pytest.param({"requests_per_minute": -5}, "requests per minute are 1 to 60,000", id="D30-negative"),
        pytest.param({"requests_per_minute": 10**12}, "requests per minute are 1 to 60,000", id="D30-beyond-integers"),
        pytest.param({"token_ref": "env:PGPASSWORD"}, "PGPASSWORD may hold another secret", id="D22-variable"),
        pytest.param({"token_ref": "file:/proc/self/environ"}, "files of the system", id="D23-environ"),
        pytest.param({"base_url": "http://example.com"}, "has a host that is not app.asana.com", id="D4-host"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused_when_it_is_set_and_nothing_is_stored(
    database: Database, settings: Settings, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(GoalsConfigError) as refused:
        create_connection(database, settings, "acme", given)
    assert says in str(refused.value)
    before = create_connection(database, settings, "acme", {})
    with pytest.raises(GoalsConfigError) as refused:
        change_connection(database, settings, "acme", given)
    assert says in str(refused.value)
    with database.connect("looking") as conn:
        assert read_connections(conn) == [before]


def test_a_file_of_the_local_state_cannot_be_set_as_a_tokens_place(database: Database, settings: Settings) -> None:
    with pytest.raises(GoalsConfigError, match=f"Put it into {settings.token_folder}"):
        create_connection(database, settings, "acme", {"token_ref": f"file:{settings.home}/postgres/password"})


@pytest.mark.parametrize(
    ("gid", "workspace", "requests"), [(None, "not_set", 1), (WORKSPACE, "seen", 2)], ids=["unset", "right"]
)
def test_a_check_tells_whose_token_it_is_and_whether_the_workspace_is_seen(
    database: Database, settings: Settings, asana: Sandbox, gid: str | None, workspace: str, requests: int
) -> None:
    given = {"base_url": asana.base_url} | ({"workspace_gid": gid} if gid else {})
    create_connection(database, settings, "acme", given)
    found = check_connection(database, settings, "acme")
    assert (found.workspace_gid, found.workspace, found.error) == (gid, workspace, None)
    assert (found.identity.user_name, found.identity.workspaces) == ("Ada Thimble", {WORKSPACE: "Canary works"})
    assert asana.count() == requests


@pytest.mark.parametrize(
    ("gid", "kind", "says"),
    [
        ("78", GoalsConfigError, "Set the right one: perfcopilot-goals connection set acme --workspace-gid GID"),
        ("99", AsanaAccessError, "the token's user may not read workspace 99"),
    ],
    ids=["unknown", "closed"],
)
@pytest.mark.fault("D24")
def test_with_a_wrong_gid_the_workspaces_are_told_beside_the_error(
    database: Database, settings: Settings, asana: Sandbox, gid: str, kind: type, says: str
) -> None:
    create_connection(database, settings, "acme", {"base_url": asana.base_url, "workspace_gid": gid})
    found = check_connection(database, settings, "acme")
    assert (found.workspace, type(found.error)) == ("failed", kind)
    assert f"connection acme: GET /workspaces/{gid}" in str(found.error)
    assert says in str(found.error)
    assert found.identity.workspaces == {WORKSPACE: "Canary works"}


@pytest.mark.fault("D24")
def test_a_workspace_that_answers_but_is_not_listed_is_told_apart(
    database: Database, settings: Settings, asana: Sandbox
) -> None:
    create_connection(database, settings, "acme", {"base_url": asana.base_url, "workspace_gid": WORKSPACE})
    another = b'{"data":{"gid":"1","name":"Ada","workspaces":[{"gid":"5","name":"Elsewhere"}]}}'
    asana.faults = Script().on(faults.reply(200, another), path="/users/me")
    found = check_connection(database, settings, "acme")
    assert (found.workspace, found.error, found.identity.workspaces) == ("not_listed", None, {"5": "Elsewhere"})


def test_a_token_that_is_refused_fails_the_check_with_the_connections_name(
    database: Database, settings: Settings, asana: Sandbox
) -> None:
    asana.token = "another"
    create_connection(database, settings, "acme", {"base_url": asana.base_url, "workspace_gid": WORKSPACE})
    with pytest.raises(AsanaAccessError, match="connection acme: GET /users/me answered 401"):
        check_connection(database, settings, "acme")


def test_a_check_waits_for_the_tokens_pace_and_tells_nothing_while_it_need_not_wait_for_a_sync(
    database: Database, settings: Settings, asana: Sandbox
) -> None:
    create_connection(
        database, settings, "acme", {"base_url": asana.base_url, "workspace_gid": "77", "requests_per_minute": 6}
    )
    clock, told = FakeClock(), list[str]()
    check_connection(database, settings, "acme", clock=clock, on_wait=told.append)
    assert sum(clock.waits) >= 10, "six a minute is one each ten seconds"
    assert told == []


def test_a_check_is_given_up_when_asana_is_away_and_keeps_the_list_that_it_has(
    database: Database, settings: Settings, asana: Sandbox
) -> None:
    create_connection(database, settings, "acme", {"base_url": asana.base_url, "workspace_gid": WORKSPACE})
    asana.faults = Script().on(faults.status(503), path="/workspaces/*")
    found = check_connection(database, settings, "acme", clock=FakeClock())
    assert (found.workspace, type(found.error)) == ("failed", AsanaUnavailableError)
    assert list(found.identity.workspaces) == [WORKSPACE]


@pytest.mark.fault("H9")
def test_a_check_holds_the_token_and_keeps_it_out_of_every_log(
    database: Database, settings: Settings, asana: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    create_connection(database, settings, "acme", {"base_url": asana.base_url, "workspace_gid": WORKSPACE})
    is_held: list[bool] = []

    def look(request: Any, response: Any) -> Any:
        with pytest.raises(AsanaUnavailableError), token_lock(database, token_identity(TOKEN), wait_seconds=0):
            pass
        is_held.append(True)
        return response

    asana.faults = look
    check_connection(database, settings, "acme")
    assert is_held == [True, True]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("some.library").debug("Authorization: Bearer %s", TOKEN)
    assert f"Bearer {MARK}" in caplog.text
    assert TOKEN not in caplog.text
