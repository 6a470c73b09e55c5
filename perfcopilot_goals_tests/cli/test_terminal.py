"""What reaches a terminal or a pipe: no control character, in any encoding, also when the reader leaves early."""

import ast
import datetime as dt
import io
import json
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import perfcopilot_goals.cli
from perfcopilot_goals.cli import main
from perfcopilot_goals.cli.terminal import echo, guarded_output, printable, render_json
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals_tests.cli.command import TOKEN, environment
from perfcopilot_goals_tests.cli.controls import CONTROLS
from perfcopilot_goals_tests.core.examples import usual
from perfcopilot_goals_tests.storage.examples import gids, write

COMMAND = [sys.executable, "-m", "perfcopilot_goals.cli"]
PLAIN = ["Ana Ruiz", "Žofie Ünal", "李小龍", "नमस्ते", "\u00a0\u3000", "a\u0301", "🎯", "<b>&amp;"]
# What no terminal of Latin-1 or ASCII can show.
NAME = "Žofie 李 🎯"
BLOCK = f"[GOALS]\n- Goal (status: on_track): {NAME}…\n[/GOALS]"


@pytest.mark.fault("H34")
@pytest.mark.parametrize("character", CONTROLS, ids=ascii)
def test_what_a_terminal_would_act_upon_is_replaced(character: str) -> None:
    assert printable(f"a{character}b") == "a\ufffdb"


@pytest.mark.parametrize("text", PLAIN, ids=ascii)
def test_what_people_are_called_stays(text: str) -> None:
    assert printable(text) == text


def test_of_all_characters_only_those_without_a_picture_are_replaced() -> None:
    replaced = {unicodedata.category(c) for c in map(chr, range(sys.maxunicode + 1)) if printable(c) != c}
    assert replaced == {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.fault("H34")
def test_a_line_stays_one_line_and_another_one_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    echo("sees workspace 1  Acme\n  sees workspace 2  Acme  <- this connection", "second\r")
    assert capsys.readouterr().out == (
        "sees workspace 1  Acme\ufffd  sees workspace 2  Acme  <- this connection\nsecond\ufffd\n"
    )


@usual
@given(st.text(st.sampled_from([*CONTROLS, *'aü李🎯\\"\U000e0041'])))
def test_json_parses_to_the_value_again_and_holds_no_control_character(text: str) -> None:
    lines = render_json({text: [text]})
    assert json.loads("\n".join(lines)) == {text: [text]}
    assert all(printable(line) == line for line in lines)


@pytest.mark.fault("H34")
def test_what_a_library_prints_is_guarded_too() -> None:
    out = io.StringIO()
    with redirect_stdout(out), guarded_output():
        print("first\x1b[2K\rsecond\nthird")  # as no command of ours does
    assert out.getvalue() == "first\ufffd[2K\ufffdsecond\nthird\n"


def test_a_traceback_is_guarded_and_keeps_the_exit_code(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", database_url)
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    with Database(database_url).connect("setting up") as conn:
        add_connection(conn, Connection("acme", None, "env:T", "https://app.asana.com", 1500, "auto", True))
        people = [Employee("E1\x1b[2J", "Ana", "", "11"), Employee("E2", "Ben", "", None)]
        import_employees(conn, "acme", people)
    done = CliRunner().invoke(main, ["--debug", "employee", "map", "acme", "E2", "11"])
    assert done.exit_code == 2
    assert "Traceback" in done.stderr
    assert "claimed twice: 11 by E1\ufffd[2J and E2" in done.stderr
    assert "\x1b" not in done.stderr


def test_commands_print_by_echo_and_by_nothing_else() -> None:
    """Whatever is printed by another function could hold a line break that adds a line."""
    folder = Path(perfcopilot_goals.cli.__file__).parent
    found = []
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in ("print", "click.echo", "click.secho") or called.startswith(
                    ("sys.stdout.w", "sys.stderr.w")
                ):
                    found.append(f"{path.name}:{node.lineno}: {called}")
    assert found == []


@pytest.fixture
def acme(database: Database) -> Database:
    """A connection with two employees. One of them has a block."""
    connection = Connection("acme", "77", "env:ASANA_ACCESS_TOKEN", "https://app.asana.com/api/1.0", 1500, "auto", True)
    people = [Employee("E1", NAME, "zofie@example.com", "11"), Employee("E2", "Ben", "", None)]
    with database.connect("setting up") as conn:
        add_connection(conn, connection)
        import_employees(conn, "acme", people)
    block = frame("prompt_blocks", [("E1", BLOCK, 1, 1, 0, False, [], "ok")])
    write(database, block, table="prompt_blocks", synced_at=dt.datetime.now(dt.UTC), is_last=True)
    return database


ASCII = {"PYTHONIOENCODING": "ascii"}
LATIN_1 = {"PYTHONIOENCODING": "latin-1"}
C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.fault("H35")
@pytest.mark.parametrize(
    ("encoding", "shown"),
    [(ASCII, "?ofie ? ?"), (LATIN_1, "?ofie ? ?"), (C_LOCALE, "?ofie ? ?"), ({"PYTHONIOENCODING": "utf-8"}, NAME)],
    ids=["ascii", "latin-1", "C", "utf-8"],
)
def test_whatever_the_encoding_a_command_prints_what_that_can_show(
    acme: Database, tmp_path: Path, encoding: dict[str, str], shown: str
) -> None:
    env = environment(tmp_path, PERFCOPILOT_DATABASE_URL=acme.url, **encoding)

    def run(*arguments: str) -> bytes:
        done = subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        return done.stdout

    block = run("prompt", "acme", "E1")
    assert block.splitlines()[1].startswith(f"- Goal (status: on_track): {shown}".encode())
    assert shown != NAME or block == f"{BLOCK}\n".encode()
    assert shown.encode() in run("employee", "list", "acme")
    assert b"acme" in run("status")
    # JSON can say it in any encoding.
    assert json.loads(run("employee", "list", "acme", "--json"))[0]["full_name"] == NAME
    assert json.loads(run("prompt", "acme", "E1", "--json"))["block"] == BLOCK


def left(
    arguments: Sequence[str], env: dict[str, str], *, reads: int = 0, both: bool = False
) -> tuple[int, bytes, bytes]:
    """The exit code, the lines that were read before the reader left, and stderr unless that was left with it."""
    stderr = subprocess.STDOUT if both else subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdout=subprocess.PIPE, stderr=stderr, bufsize=0) as process:
        assert process.stdout is not None
        lines = b"".join(process.stdout.readline() for _ in range(reads))
        process.stdout.close()
        said = process.stderr.read() if process.stderr else b""
    return process.returncode, lines, said


@pytest.mark.fault("H35")
@pytest.mark.parametrize(
    ("arguments", "reads", "first"),
    [
        (["status"], 0, b""),
        (["status", "--json"], 0, b""),
        (["prompt", "acme", "E1"], 0, b""),
        (["prompt", "acme", "E1"], 1, b"[GOALS]\n"),
        (["employee", "list", "acme"], 1, b"employee_id"),
        (["employee", "list", "acme", "--json"], 1, b"[\n"),
        (["grants", "--print"], 1, b"-- Roles"),
        (["--help"], 0, b""),
    ],
)
def test_a_reader_that_leaves_ends_a_command_quietly(
    acme: Database, tmp_path: Path, arguments: list[str], reads: int, first: bytes
) -> None:
    # More than a pipe holds, so that the command is still printing when its reader has gone.
    many = [Employee(f"F{number:05}", "N" * 60, f"f{number}@example.com", None) for number in range(3000)]
    with acme.connect("importing") as conn:
        import_employees(conn, "acme", many)
    env = environment(tmp_path, PERFCOPILOT_DATABASE_URL=acme.url)
    code, lines, said = left(arguments, env, reads=reads)
    assert lines.startswith(first)
    assert (code, said) == (0, b"")


@pytest.mark.fault("H35")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["prompt", "nope", "E1"], 2),
        (["--nonsense"], 2),
        (["prompt", "acme", "E2"], 2),
        (["employee", "erase", "acme", "E2", "--yes", "--verify", "nobody"], 0),
    ],
)
def test_an_error_that_nobody_reads_keeps_its_exit_code(
    acme: Database, tmp_path: Path, arguments: list[str], code: int
) -> None:
    env = environment(tmp_path, PERFCOPILOT_DATABASE_URL=acme.url)
    assert left(arguments, env, both=True) == (code, b"", b"")
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdout=pipe, stderr=pipe) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        process.stderr.close()
        assert b"Traceback" not in process.stdout.read()
    assert process.returncode == code


@pytest.mark.fault("H35")
@pytest.mark.parametrize("how", ["left", "closed", "two processes"])
def test_a_sync_whose_lines_nobody_reads_ends_as_it_would_have(database: Database, tmp_path: Path, how: str) -> None:
    world = World("77", "Company", {"11": Person("11", "Ana", "ana@example.com")})
    world.add(Goal("1", "Grow", "11"))
    root = Path(perfcopilot_goals.cli.__file__).parents[2]
    env = environment(tmp_path, PERFCOPILOT_DATABASE_URL=database.url, DAGSTER_HOME=str(root), OTHER_TOKEN="other")
    tokens = {"acme": "env:ASANA_ACCESS_TOKEN"} | ({"globex": "env:OTHER_TOKEN"} if how == "two processes" else {})
    with Sandbox(world, token=TOKEN, more_tokens=["other"]) as asana:
        with database.connect("setting up") as conn:
            for name, token_ref in tokens.items():
                connection = Connection(name, "77", token_ref, asana.base_url, 60_000, "auto", True)
                add_connection(conn, connection)
                import_employees(conn, name, [Employee("E1", "Ana", "ana@example.com", "11")])
        if how == "closed":
            # As a service's supervisor may start it: neither stream is open, and no file may take their numbers.
            closed = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh"]
            done = subprocess.run([*closed, *COMMAND, "sync", "--all"], env=env, check=False, timeout=60)
            assert done.returncode == 0
        else:
            assert left(["sync", "--all"], env, both=True) == (0, b"", b"")
    for name in tokens:
        assert gids(database, name) == ["1"]
