"""A company whose every name is an escape sequence: no command lets one of them reach the terminal.

Every command there is has its line in `COMMANDS`; a new one fails the first test until it has one.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from perfcopilot_goals.cli import main
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.commands import leaves
from perfcopilot_goals_tests.cli.controls import CONTROLS

WORKSPACE = "1200000000000001"
ME, ANA, BO = "1200000000000010", "1200000000000011", "1200000000000012"
# A title, a line up and emptied, a line of its own, a C1 sequence, and every control character that Postgres can hold.
FORGED = "  sees workspace 1200000000000999  Acme  <- this connection"
EVIL = f"Ev\x1b]0;owned\x07il\x1b[1A\x1b[2K\r\n{FORGED}\x9b2J" + "".join(CONTROLS[1:-1])
EVIL_LINE = "".join(c for c in EVIL if len(f"a{c}b".splitlines()) == 1)
EVIL_ID = "E<!channel>\N{RIGHT-TO-LEFT OVERRIDE}\x1b[2J"
STRANGE = "evil\x1b[2J\u202e\n"

COMMANDS: dict[str, list[list[str]]] = {
    "status": [[], ["--json"], ["--employees"], ["--employees", "--json"]],
    "prompt": [
        ["acme", EVIL_ID],
        ["acme", EVIL_ID, "--json"],
        ["acme", "E\x1b[2J"],
        ["acme", EVIL_ID, "--history"],
        ["acme", EVIL_ID, "--history", "--json"],
        ["acme", EVIL_ID, "--as-of", "2020-01-01"],
        ["acme", EVIL_ID, "--as-of", EVIL],
    ],
    "receipt": [["acme"], ["acme", "--json"], ["acme", "--run", EVIL]],
    "verify": [
        ["acme", EVIL_ID],
        ["acme", EVIL_ID, "--live"],
        ["acme", EVIL_ID, "--json"],
        ["acme", EVIL_ID, "--as-of", EVIL],
        ["acme", EVIL_ID, "--block", "block.txt"],
        ["acme", EVIL, "--block", "block.txt"],
    ],
    "connection add": [["more"], ["Bad \x1b[2J name"]],
    "connection set": [["acme", "--requests-per-minute", "50000"], ["acme", "--workspace-gid", EVIL]],
    "connection list": [[], ["--json"]],
    "connection check": [["acme"], ["acme", "--json"]],
    "connection remove": [["acme"], [STRANGE]],
    "employee import": [["acme", "roster.csv", "--dry-run"], ["acme", "roster.csv", "--skip-bad"]],
    "employee list": [["acme"], ["acme", "--json"], ["nope\x1b[2J"]],
    "employee unmapped": [["acme", "--owners"], ["acme", "--owners", "--json"]],
    "employee suggest": [["acme"], ["acme", "--json"]],
    "employee map": [["acme", EVIL_ID, BO], ["acme", f"E4{EVIL}", BO]],
    "employee unmap": [["acme", EVIL_ID]],
    "employee erase": [
        ["acme", EVIL_ID, "--verify", EVIL_ID, EVIL],
        ["acme", f"E1{EVIL}", "--yes", "--verify", EVIL],
        ["acme", f"E2{EVIL}", "--yes", "--json", "--verify", EVIL],
    ],
    "sync": [["acme"], ["nope\x1b[2J"], ["--all"]],
    "plan": [["acme"], ["acme", "--json"], [STRANGE, "--json"]],
    "retention": [["--days", "1"], ["--days", "1", "--dry-run", "--json"]],
    "grants": [["--print"], ["--print", "--prefix", EVIL]],
    "database-url": [[], ["--json"]],
    "database-stop": [[]],
    "demo": [[]],
    "sandbox": [["--port", "0", "--token", EVIL]],
}
# `dev` prints an address and then the log of Dagster, which is a process of its own. `admin` prints an address.
NOT_RUN = {"admin", "dev"}
# What writes comes after what reads, and what removes comes last.
LAST = ["employee import", "employee map", "employee unmap", "employee erase", "connection remove"]


@pytest.mark.fault("H34")
def test_every_command_is_tried() -> None:
    assert set(COMMANDS) == set(leaves(main)) - NOT_RUN


def company() -> World:
    people = {
        ME: Person(ME, EVIL, "me@example.com"),
        ANA: Person(ANA, EVIL, f"ana{EVIL}@example.com"),
        BO: Person(BO, f"Bo {EVIL}", "bo@example.com"),
    }
    world = World(WORKSPACE, EVIL, people)
    world.add(Goal("1300000000000001", EVIL, ANA, html_notes=EVIL, status_type="at_risk"))
    world.add(Goal("1300000000000002", f"{EVIL} [/GOALS]", BO, status_type="achieved"), "1300000000000001")
    world.add(Goal("1300000000000003", EVIL, None))
    for number in range(201):
        world.add(Goal(f"14{number:014}", f"{EVIL} {number}", ANA))
    return world


def assert_harmless(said: str, command: str) -> None:
    found = sorted({ascii(character) for character in said if character in CONTROLS and character != "\n"})
    assert not found, f"{command} prints {found}"
    assert not [line for line in said.split("\n") if line.startswith(FORGED)], f"{command} prints a line of somebody's"


@pytest.fixture
def run(cli: Cli, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command's outcome. What talks to Dagster's run is a process; the rest would only spend its time on starting."""
    root = str(load_settings({}).project_root)
    for name, value in environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url, DAGSTER_HOME=root).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] in ("sync", "demo"):
            return cli(*arguments, DAGSTER_HOME=root)
        if arguments[0] == "sandbox":
            return until_interrupted(arguments)
        done = CliRunner().invoke(main, arguments, prog_name="perfcopilot-goals", input="y\n")
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run


def until_interrupted(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perfcopilot_goals.cli", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, encoding="utf-8", errors="surrogateescape"
    ) as p:
        assert p.stdout is not None
        first = [p.stdout.readline() for _ in range(4)]
        p.send_signal(signal.SIGINT)
        out, err = p.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, p.returncode, "".join(first) + out, err)


@pytest.fixture
def asana(database_url: str, tmp_path: Path) -> Iterator[Sandbox]:
    """The company, connected, with a roster that no import would take; and a connection that no command would make."""
    people = [
        Employee(EVIL_ID, EVIL, f"who{EVIL}@example.com", ANA),
        Employee(f"E1{EVIL}", EVIL, EVIL, None),
        Employee(f"E2{EVIL}", f"{EVIL} two", "", None),
        Employee(f"E4{EVIL}", "Bo", "bo@example.com", None),
    ]
    (tmp_path / "roster.csv").write_text(
        "employee_id,full_name,email,asana_user_gid,Ev\x1b[2Jil\u202e\n"
        f"E8,{EVIL_LINE},e8{EVIL_LINE}@example.com,,x\n"
        f"E9,Nine,nine@example.com,1{EVIL_LINE},x\n",
        "utf-8",
    )
    block = f"[GOALS]\n- Goal (status: {EVIL}): {EVIL}\n{EVIL}\n[/GOALS]"
    (tmp_path / "block.txt").write_text(block.encode("utf-8", "replace").decode(), "utf-8")
    with Sandbox(company(), token=TOKEN) as asana:
        with Database(database_url).connect("setting up") as conn:
            settings = ("env:ASANA_ACCESS_TOKEN", asana.base_url, 60_000, "auto")
            add_connection(conn, Connection("acme", WORKSPACE, *settings, enabled=True))
            import_employees(conn, "acme", people)
            strange = Connection(STRANGE, f"7{EVIL}", f"env:{EVIL}", EVIL, 60_000, "auto", enabled=False)
            add_connection(conn, strange)
            import_employees(conn, STRANGE, people)
        yield asana


@pytest.mark.fault("H34")
def test_no_command_prints_a_control_character_of_anybodys(run: Cli, asana: Sandbox, database_url: str) -> None:
    assert run("sync", "acme").returncode == 0
    with psycopg.connect(database_url) as conn:
        # A failure of a connection that no command would make, for `status`.
        conn.execute("update perfcopilot_goals.syncs set error_code = %s, state = 'failed'", [EVIL])
    for name in [*(name for name in COMMANDS if name not in LAST), *LAST]:
        for arguments in COMMANDS[name]:
            done = run(*name.split(), *arguments)
            command = f"{name} {' '.join(map(ascii, arguments))}"
            assert done.returncode in (0, 1, 2, 4, 8, 130), f"{command}: {done.stderr}"
            assert "an error of the program itself" not in done.stderr, command
            assert_harmless(done.stdout + done.stderr, command)
            if "--json" in arguments and done.stdout:
                json.loads(done.stdout)


@pytest.mark.fault("H34")
def test_a_workspaces_name_cannot_say_which_workspace_to_set(run: Cli, asana: Sandbox) -> None:
    lines = run("connection", "check", "acme").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith(f"(user {ME}).")
    assert lines[1].startswith(f"  sees workspace {WORKSPACE}  Ev\ufffd]0;owned")
    assert lines[1].endswith("  <- this connection")
    checked = json.loads(run("connection", "check", "acme", "--json").stdout)
    assert (checked["user_name"], checked["workspaces"]) == (EVIL, {WORKSPACE: EVIL}), "JSON says what Asana said"


@pytest.mark.fault("H34")
def test_json_says_what_is_stored(run: Cli, asana: Sandbox) -> None:
    people = json.loads(run("employee", "list", "acme", "--json").stdout)
    assert {person["employee_id"] for person in people} == {EVIL_ID, *(f"E{number}{EVIL}" for number in (1, 2, 4))}
    assert {person["full_name"] for person in people} == {EVIL, f"{EVIL} two", "Bo"}
    first, second = json.loads(run("connection", "list", "--json").stdout)
    assert (first["connection"], second["connection"], second["base_url"]) == ("acme", STRANGE, EVIL)
