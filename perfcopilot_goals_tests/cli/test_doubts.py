"""What `prompt` and `status` say beside a block that may be out of date: one line for each reason, on stderr."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import ANAS_BLOCK, connect, small_company


@pytest.fixture
def synced(cli: Cli, roster: Path) -> Iterator[Cli]:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        done = cli("sync", "acme")
        assert done.returncode == 0, done.stderr
        yield cli


def test_a_fresh_block_comes_without_a_word(synced: Cli) -> None:
    shown = synced("prompt", "acme", "E1")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, ANAS_BLOCK, "")
    assert len(synced("status").stdout.splitlines()) == 2


def test_goals_of_the_former_workspace_say_so_until_the_next_sync(synced: Cli) -> None:
    assert synced("connection", "set", "acme", "--requests-per-minute", "59999").returncode == 0
    assert synced("prompt", "acme", "E1").stderr == "", "another setting does not matter"
    right = json.loads(synced("connection", "list", "--json").stdout)[0]["workspace_gid"]
    assert synced("connection", "set", "acme", "--workspace-gid", "1200000000000002").returncode == 0
    shown = synced("prompt", "acme", "E1")
    assert shown.stdout == ANAS_BLOCK
    assert "The workspace of acme was changed after this block was made" in shown.stderr
    assert "perfcopilot-goals sync acme" in shown.stderr
    assert json.loads(synced("prompt", "acme", "E1", "--json").stdout)["workspace_changed"]
    advised = "acme: the stored goals are the former workspace's; it was changed after the last complete sync. Next: "
    assert advised in synced("status").stdout
    assert json.loads(synced("status", "--json").stdout)[0]["workspace_changed"]
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    so_far = synced("prompt", "acme", "E1", "--as-of", today).stderr.splitlines()
    assert so_far == ["That day is not over; this is the present block.", *shown.stderr.splitlines()]
    assert json.loads(synced("prompt", "acme", "E1", "--as-of", today, "--json").stdout)["workspace_changed"]
    assert synced("connection", "set", "acme", "--workspace-gid", right).returncode == 0
    assert synced("prompt", "acme", "E1").stderr == ""


def test_nobody_is_told_to_sync_where_the_failure_has_to_be_mended_first(synced: Cli) -> None:
    assert synced("connection", "set", "acme", "--workspace-gid", "1200000000000002").returncode == 0
    assert synced("sync", "acme").returncode == 2
    failed, former = synced("prompt", "acme", "E1").stderr.splitlines()
    assert failed.startswith(
        "The last sync of acme failed (GoalsConfigError); this block is of an earlier one. Set the"
    )
    assert "perfcopilot-goals connection set acme --workspace-gid GID" in failed
    assert former.endswith("these goals are the former workspace's.")
    status = synced("status").stdout
    assert (
        "acme: the latest sync failed with GoalsConfigError. Set the right one: perfcopilot-goals connection" in status
    )
    assert "perfcopilot-goals sync" not in failed + former + status


def test_a_sync_that_runs_or_was_killed_is_told(synced: Cli, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, state) "
            "values ('acme', 'run-9', now(), now(), 'running')"
        )
    shown = synced("prompt", "acme", "E1")
    assert shown.stdout == ANAS_BLOCK
    assert "has not ended; this block is of an earlier one. If it was killed: perfcopilot-goals sync" in shown.stderr
    assert "and has not ended; this receipt is of an earlier one" in synced("receipt", "acme").stderr
    told = json.loads(synced("prompt", "acme", "E1", "--json").stdout)
    assert told["running_since"] == json.loads(synced("receipt", "acme", "--json").stdout)["running_since"]
    assert told["running_since"]
    assert told["failed_with"] is None
    assert "acme: the latest sync began at " in synced("status").stdout
    assert json.loads(synced("status", "--json").stdout)[0]["running_since"] == told["running_since"]


@pytest.mark.parametrize(("old", "said"), [("37 hours", "37 hours ago"), ("90 days", "90 days ago")])
def test_a_block_that_no_sync_has_renewed_for_days_says_its_age(
    synced: Cli, database_url: str, old: str, said: str
) -> None:
    with psycopg.connect(database_url) as conn:
        for table in ("prompt_blocks", "syncs"):
            conn.execute(f"update perfcopilot_goals.{table} set synced_at = synced_at - interval '{old}'")
        conn.execute("update perfcopilot_goals.employees set updated_at = updated_at - interval '91 days'")
    shown = synced("prompt", "acme", "E1")
    assert shown.stdout == ANAS_BLOCK
    (line,) = shown.stderr.splitlines()
    assert line.startswith("This block is of ")
    assert line.endswith(f" UTC, {said}. Next: perfcopilot-goals sync acme")
    assert json.loads(synced("prompt", "acme", "E1", "--json").stdout)["age_seconds"] > 36 * 3600
