"""From a workspace to blocks through the command line, with right and with wrong input."""

import json
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import ANAS_BLOCK, WORKSPACE, connect, small_company
from perfcopilot_goals_tests.faults.doorkeeper import Doorkeeper, refusal
from perfcopilot_goals_tests.pgbouncer import needs_pgbouncer, pgbouncer


def test_a_workspace_becomes_blocks_byte_for_byte(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        synced = cli("sync", "acme")
    assert synced.returncode == 0, synced.stderr
    assert cli("prompt", "acme", "E1").stdout == ANAS_BLOCK
    assert cli("prompt", "acme", "E2").stdout == "[GOALS]\n- (no goals)\n[/GOALS]\n"
    unmapped = cli("prompt", "acme", "E3")
    assert (unmapped.returncode, unmapped.stdout) == (2, "")
    assert "employee map acme E3" in unmapped.stderr

    (status,) = json.loads(cli("status", "--json").stdout)
    assert (status["goals"], status["key_results"], status["unmapped"], status["truncated"]) == (2, 1, 1, 0)
    assert json.loads(cli("plan", "acme", "--json").stdout)["requests"] == 3
    citations = json.loads(cli("prompt", "acme", "E1", "--json").stdout)["citations"]
    assert [citation["line"] for citation in citations] == [2, 3, 4]


@pytest.mark.fault("H3")
def test_nothing_that_a_sync_prints_or_dagster_keeps_holds_a_token_a_name_or_a_goal(
    cli: Cli, roster: Path, database_url: str, tmp_path: Path
) -> None:
    world = small_company()
    world.rename("1300000000000001", "Canary goal text")
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster)
        passing = cli("sync", "acme")
        asana.token = "another"
        failing = cli("sync", "acme")
    assert (passing.returncode, failing.returncode) == (0, 3)
    kept = [passing.stdout, passing.stderr, failing.stdout, failing.stderr]
    with psycopg.connect(database_url) as conn:
        tables = conn.execute(
            "select table_name from information_schema.tables where table_schema = 'perfcopilot_dagster'"
        ).fetchall()
        for (table,) in tables:
            kept += [str(row) for row in conn.execute(f"select * from perfcopilot_dagster.{table}").fetchall()]
        kept += [str(row) for row in conn.execute("select * from perfcopilot_goals.syncs").fetchall()]
    kept += [path.read_text("utf-8", "replace") for path in (tmp_path / "state").rglob("*") if path.is_file()]
    password = psycopg.conninfo.conninfo_to_dict(database_url)["password"]
    for canary in (TOKEN, "Canary", "ana@example.com", str(password)):
        assert not [text for text in kept if canary in text], canary


def test_without_a_workspace_gid_nothing_is_asked_and_nothing_is_touched(
    cli: Cli, roster: Path, database_url: str
) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster, gid=False)
        refused = cli("sync", "acme")
        assert refused.returncode == 2
        assert refused.stderr.startswith("GoalsConfigError: ")
        assert "connection set acme --workspace-gid" in refused.stderr
        assert asana.requests == []
        with psycopg.connect(database_url) as conn:
            for table in SLICE_TABLES:
                assert conn.execute(f"select count(*) from perfcopilot_goals.{table}").fetchone() == (0,)
        assert cli("connection", "set", "acme", "--workspace-gid", WORKSPACE).returncode == 0
        assert cli("sync", "acme").returncode == 0
        # A page of goals, one of users, two goals to walk, and the route that is not there.
        assert len(asana.requests) == 1 + 1 + 2 + 1


def test_one_connection_that_fails_leaves_the_other_unharmed_and_gives_the_exit_code(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("connection", "add", "aaa", "--base-url", asana.base_url).returncode == 0
        assert cli("connection", "add", "off", "--base-url", asana.base_url).returncode == 0
        assert cli("connection", "set", "off", "--disable").returncode == 0
        every = cli("sync", "--all")
    assert every.returncode == 2
    assert "GoalsConfigError: connection aaa" in every.stderr
    assert "acme: 2 goals" in every.stdout
    assert "off" not in every.stdout + every.stderr


@pytest.mark.fault("F2")
def test_ctrl_c_ends_a_sync_with_130_and_is_told_by_status(
    cli: Cli, roster: Path, database_url: str, tmp_path: Path
) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        asana.latency_seconds = 5
        process = subprocess.Popen(
            [sys.executable, "-m", "perfcopilot_goals.cli", "sync", "acme"],
            env=environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url),
            stderr=subprocess.PIPE,
            text=True,
        )
        while not asana.requests:
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "Interrupted."
    (status,) = json.loads(cli("status", "--json").stdout)
    assert status["failed_with"] == "Interrupted"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["sync"], 2, "--all", id="no-name"),
        pytest.param(["sync", "acme", "--max-goal", "5"], 2, "No such option", id="D8-unknown-option"),
        pytest.param(["sync", "nope"], 2, "no connection 'nope'", id="unknown-connection"),
        pytest.param(["connection", "add", "Acme Corp"], 2, "a-z", id="bad-slug"),
        pytest.param(["connection", "add", "a", "--workspace-gid", "12x"], 2, "digits", id="bad-gid"),
        pytest.param(["connection", "add", "a", "--token-ref", "1/secret:token"], 2, "never the token", id="H26-token"),
        pytest.param(["connection", "add", "a", "--base-url", "http://example.com"], 2, "host", id="foreign-host"),
        pytest.param(["connection", "remove", "nope"], 2, "no connection", id="remove-unknown"),
        pytest.param(["prompt", "nope", "E1"], 2, "no connection", id="prompt-unknown"),
        pytest.param(["employee", "list", "nope"], 2, "no connection", id="roster-unknown"),
    ],
)
def test_wrong_input_is_told_in_a_line_or_two_that_say_what_to_do(
    cli: Cli, arguments: list[str], code: int, says: str
) -> None:
    done = cli(*arguments)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "1/secret:token" not in done.stderr


def test_a_database_that_cannot_be_reached_is_told_without_its_password(cli: Cli) -> None:
    done = cli("status", PERFCOPILOT_DATABASE_URL="postgresql://somebody:hunter2@127.0.0.1:1/goals")
    assert done.returncode == 7
    assert done.stderr.startswith("GoalsStoreError: ")
    assert "hunter2" not in done.stderr


@needs_pgbouncer
@pytest.mark.fault("E34", "E35")
def test_a_pooler_serves_every_command_in_session_mode_and_none_in_transaction_mode(
    cli: Cli, roster: Path, database_url: str
) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana, pgbouncer(database_url) as url:
        pooled = partial(cli, PERFCOPILOT_DATABASE_URL=url)
        connect(pooled, asana, roster)
        synced = pooled("sync", "acme")
        assert synced.returncode == 0, synced.stderr
        assert pooled("prompt", "acme", "E1").stdout == ANAS_BLOCK
    with pgbouncer(database_url, pool_mode="transaction", ignore_startup_parameters="options") as url:
        for words in (["sync", "acme"], ["status"], ["employee", "list", "acme"]):
            refused = cli(*words, PERFCOPILOT_DATABASE_URL=url)
            assert refused.returncode == 2
            assert refused.stderr.startswith("GoalsConfigError: the database's address is that of a connection pooler")
            assert "Use the direct address of Postgres" in refused.stderr
    with psycopg.connect(database_url) as conn:
        assert conn.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


@pytest.mark.fault("E30")
def test_a_database_that_is_starting_up_is_waited_for_with_a_line_that_says_so(cli: Cli, database_url: str) -> None:
    given = psycopg.conninfo.conninfo_to_dict(database_url)
    starting = refusal("57P03", "the database system is starting up")
    with Doorkeeper(starting, times=2, port=int(str(given["port"]))) as door:
        url = database_url.replace(f":{given['port']}/", f":{door.port}/")
        done = cli("status", PERFCOPILOT_DATABASE_URL=url)
    assert done.returncode == 0
    # The seconds that are left: what came before takes some on a busy machine.
    says = r"Postgres is starting up or .*, and takes no connections yet; waiting up to (60|5\d) seconds for it\."
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(says, line)


def test_the_demo_needs_nothing_and_shows_what_the_product_does(tmp_path: Path) -> None:
    env = environment(tmp_path)
    command = [sys.executable, "-m", "perfcopilot_goals.cli"]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, check=False, timeout=180)

    try:
        done = run("demo")
        assert done.returncode == 0, done.stderr
        assert "- (200 of 243 goals listed; the list was truncated)\n[/GOALS]" in done.stdout
        assert "[GOALS]\n- (no goals)\n[/GOALS]" in done.stdout
        assert "WARN no_employee_is_truncated: 2 (E002: 201, E003: 243)" in done.stdout
        assert run("demo").returncode == 0, "a second demo works on what the first one left"
        assert run("prompt", "demo", "E015").stdout == "[GOALS]\n- (no goals)\n[/GOALS]\n"
        assert run("database-url").stdout.startswith("postgresql://")
    finally:
        stopped = run("database-stop")
    assert stopped.stdout == "Stopped the local Postgres.\n"
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
