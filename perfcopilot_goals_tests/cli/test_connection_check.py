"""`connection check` as its user runs it: with no GID, the right one, a wrong one, and beside a sync."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import WORKSPACE, small_company
from perfcopilot_goals_tests.scripted_faults import Script

SEES = f"""The token is that of Ana (user 1200000000000011).
  sees workspace {WORKSPACE}  Canary workspace"""


@pytest.fixture
def asana(cli: Cli) -> Iterator[Sandbox]:
    """A stand-in Asana, and the connection acme to it, which has no GID yet."""
    with Sandbox(small_company(), token=TOKEN) as asana:
        assert cli("connection", "add", "acme", "--base-url", asana.base_url).returncode == 0
        yield asana


def test_without_a_gid_it_lists_the_workspaces_and_says_how_to_set_one(cli: Cli, asana: Sandbox) -> None:
    shown = cli("connection", "check", "acme")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == (
        f"{SEES}\nNo workspace is set yet: perfcopilot-goals connection set acme --workspace-gid GID\n"
    )


def test_with_the_right_gid_it_marks_the_workspace(cli: Cli, asana: Sandbox) -> None:
    assert cli("connection", "set", "acme", "--workspace-gid", f" {WORKSPACE} ").returncode == 0
    shown = cli("connection", "check", "acme")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, f"{SEES}  <- this connection\n", "")
    assert json.loads(cli("connection", "check", "acme", "--json").stdout) == {
        "connection": "acme",
        "workspace_gid": WORKSPACE,
        "workspace": "seen",
        "error_code": None,
        "user_gid": "1200000000000011",
        "user_name": "Ana",
        "workspaces": {WORKSPACE: "Canary workspace"},
    }


@pytest.mark.fault("D24")
def test_with_a_wrong_gid_the_list_comes_first_and_then_the_error_that_can_be_pasted(cli: Cli, asana: Sandbox) -> None:
    assert cli("connection", "set", "acme", "--workspace-gid", "1200000000000404").returncode == 0
    shown = cli("connection", "check", "acme")
    assert (shown.returncode, shown.stdout) == (2, f"{SEES}\n")
    assert shown.stderr == (
        "GoalsConfigError: connection acme: GET /workspaces/1200000000000404 answered 404: Asana knows no workspace "
        "1200000000000404 for this token; no block was changed. "
        "Set the right one: perfcopilot-goals connection set acme --workspace-gid GID, or the job set_workspace in "
        "the UI\n"
    )
    as_json = cli("connection", "check", "acme", "--json")
    assert (as_json.returncode, as_json.stderr) == (2, shown.stderr)
    told = json.loads(as_json.stdout)
    assert told["workspaces"] == {WORKSPACE: "Canary workspace"}
    assert (told["workspace"], told["error_code"]) == ("failed", "GoalsConfigError")


@pytest.mark.fault("D24")
def test_a_gid_that_answers_but_is_not_listed_is_remarked_on(cli: Cli, asana: Sandbox) -> None:
    assert cli("connection", "set", "acme", "--workspace-gid", WORKSPACE).returncode == 0
    asana.faults = Script().on(
        faults.reply(200, b'{"data":{"gid":"1","name":"Ana","workspaces":[]}}'), path="/users/me"
    )
    shown = cli("connection", "check", "acme")
    assert shown.returncode == 0
    assert "  sees no workspace\n" in shown.stdout
    assert f"Workspace {WORKSPACE} answers, but is not among those that the token sees" in shown.stdout
    assert json.loads(cli("connection", "check", "acme", "--json").stdout)["workspace"] == "not_listed"


@pytest.mark.parametrize(
    ("token", "says"),
    [
        pytest.param(f'"{TOKEN}"', "looks quoted", id="D20-quotes"),
        pytest.param(f"Bearer {TOKEN}", "begins with Bearer", id="D20-bearer"),
        pytest.param(f"{TOKEN}\u200b", "has an invisible character at its end", id="D20-invisible"),
    ],
)
def test_a_token_that_was_copied_badly_is_told_by_kind_and_nothing_is_asked(
    cli: Cli, asana: Sandbox, token: str, says: str
) -> None:
    refused = cli("connection", "check", "acme", "--json", ASANA_ACCESS_TOKEN=token)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"connection acme: the token in environment variable ASANA_ACCESS_TOKEN {says}" in refused.stderr
    assert TOKEN not in refused.stderr
    assert asana.requests == []


def test_a_token_that_is_refused_gives_its_own_exit_code(cli: Cli, asana: Sandbox) -> None:
    asana.token = "another"
    refused = cli("connection", "check", "acme")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith("AsanaAccessError: connection acme: GET /users/me answered 401")


@pytest.mark.parametrize("arguments", [["connection", "check", "acme"], ["sync", "acme"]], ids=["check", "sync"])
@pytest.mark.fault("D31")
def test_whoever_waits_for_a_sync_that_has_the_token_says_so_at_once(
    cli: Cli, asana: Sandbox, tmp_path: Path, database: Database, database_url: str, arguments: list[str]
) -> None:
    assert cli("connection", "set", "acme", "--workspace-gid", WORKSPACE).returncode == 0
    (tmp_path / "roster.csv").write_text("employee_id,full_name,email,asana_user_gid\nE1,Ana,,\n")
    assert cli("employee", "import", "acme", str(tmp_path / "roster.csv")).returncode == 0
    with token_lock(database, token_identity(TOKEN)):
        process = subprocess.Popen(
            [sys.executable, "-m", "perfcopilot_goals.cli", *arguments],
            env=environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        waiting = "acme: another sync is using the same Asana token; waiting until it is done.\n"
        assert process.stderr.readline() == waiting
        time.sleep(0.5)
        assert asana.requests == []
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert asana.requests


@pytest.mark.fault("D25")
def test_a_connection_without_employees_is_told_before_anything_is_asked_until_it_is_allowed(
    cli: Cli, asana: Sandbox, tmp_path: Path
) -> None:
    assert "GoalsConfigError" in cli("sync", "acme").stderr, "the GID comes first"
    assert cli("connection", "set", "acme", "--workspace-gid", WORKSPACE).returncode == 0
    refused = cli("sync", "acme")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "GoalsConfigError: connection acme: its roster is empty; nothing was pulled, no request was sent. "
        "Import one: perfcopilot-goals employee import acme FILE.csv, or sync with --allow-empty\n"
    )
    assert asana.requests == []
    allowed = cli("sync", "acme", "--allow-empty")
    assert allowed.returncode == 0, allowed.stderr
    assert "acme: 0 goals and 0 key results of 0 employees, 2 requests" in allowed.stdout
