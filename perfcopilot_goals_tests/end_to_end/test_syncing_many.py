"""Several connections in one `sync`: side by side where their tokens are their own, each on its own when one fails."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.sandbox import Request, Response, Sandbox
from perfcopilot_goals.settings import DEFAULT_TOKEN_REF
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals_tests.asana.worlds import WORKSPACE, flat_world
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.faults.proxy import CUT, PASS, Proxy

OTHER = "canary-token-of-another-77aa"


class Running:
    """A stand-in that notes whose token has asked; an answer waits `patience` seconds for a request of the other's."""

    def __init__(self) -> None:
        self.asked = {TOKEN: threading.Event(), OTHER: threading.Event()}
        self.patience = 0.0
        self.met: list[bool] = []
        self.asana = Sandbox(flat_world(2), token=TOKEN, more_tokens=[OTHER], faults=self._note)

    def _note(self, request: Request, response: Response) -> Response:
        self.asked[request.headers["Authorization"].removeprefix("Bearer ")].set()
        self.met.append(all(asked.wait(self.patience) for asked in self.asked.values()))
        return response


@pytest.fixture
def running(tmp_path: Path, database_url: str) -> Iterator[Running]:
    """Connections one and two of one token, and three of another."""
    running = Running()
    (tmp_path / "other").write_text(OTHER)
    with running.asana as asana:
        with Database(database_url).connect("adding connections") as conn:
            for name, token in (
                ("one", DEFAULT_TOKEN_REF),
                ("two", DEFAULT_TOKEN_REF),
                ("three", f"file:{tmp_path}/other"),
            ):
                row = Connection(name, WORKSPACE, token, asana.base_url, 1_500, "goal_relationships", enabled=True)
                add_connection(conn, row)
                # Not mapped, so that each sync is one request.
                import_employees(conn, name, [Employee("E1", "Ada Thimble", "ada@example.com", None)])
        yield running


@contextmanager
def started(
    tmp_path: Path, database_url: str, *arguments: str, behind: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """The command, under way, run by the command `behind`; it is gone at the end."""
    with subprocess.Popen(
        [*behind, sys.executable, "-m", "perfcopilot_goals.cli", *arguments],
        env=environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def status(cli: Cli) -> dict[str, str | None]:
    return {row["connection"]: row["failed_with"] for row in json.loads(cli("status", "--json").stdout)}


def wait_for_both(running: Running, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not all(asked.is_set() for asked in running.asked.values()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "one of them never asked"
        time.sleep(0.05)


def wait_for_workers(process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while len(workers_of(process.pid)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "no worker ever started"
        time.sleep(0.01)


def workers_of(pid: int) -> list[int]:
    """Its grandchildren: the one child is what they are forked from, another keeps watch over leftovers."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended meanwhile
    children = {child for child, parent in parents.items() if parent == pid}
    return [grandchild for grandchild, parent in parents.items() if parent in children]


def test_those_with_tokens_of_their_own_are_synced_side_by_side_and_the_others_in_turn(
    running: Running, cli: Cli, database_url: str
) -> None:
    running.patience = 45
    done = cli("sync", "--all")
    assert done.returncode == 0, done.stderr
    assert all(running.met)
    with psycopg.connect(database_url) as conn:
        overlaps = conn.execute(
            "select count(*) from perfcopilot_goals.syncs a join perfcopilot_goals.syncs b on b.connection = 'two' "
            "where a.connection = 'one' and a.started_at < b.finished_at and b.started_at < a.finished_at"
        ).fetchone()
    assert overlaps == (0,)
    assert sorted(line.partition(":")[0] for line in done.stdout.splitlines() if "requests" in line) == [
        "one",
        "three",
        "two",
    ]


def test_the_exit_code_is_that_of_the_first_that_failed_and_the_others_are_synced(running: Running, cli: Cli) -> None:
    running.asana.more_tokens.clear()
    done = cli("sync", "two", "nope", "three", "one")
    assert done.returncode == 2
    assert "no connection 'nope'" in done.stderr
    assert "AsanaAccessError" in done.stderr
    assert status(cli) == {"one": None, "two": None, "three": "AsanaAccessError"}
    assert TOKEN not in done.stdout + done.stderr
    assert OTHER not in done.stdout + done.stderr


@pytest.mark.fault("F1")
def test_a_worker_that_is_killed_takes_only_its_own_connection_with_it(
    running: Running, cli: Cli, tmp_path: Path, database_url: str
) -> None:
    running.asana.latency_seconds = 5
    with started(tmp_path, database_url, "sync", "one", "three") as process:
        wait_for_both(running, process)
        workers = workers_of(process.pid)
        os.kill(workers[0], signal.SIGKILL)
        said, told = process.communicate(timeout=120)
    assert process.returncode == 1
    (synced,) = [line.partition(":")[0] for line in said.splitlines() if "requests" in line]
    (killed,) = {"one", "three"} - {synced}
    # The other connection's progress may come after it.
    (line,) = [line for line in told.splitlines() if f"at {killed} was killed by signal 9" in line]
    assert line.endswith(f"sync again: perfcopilot-goals sync {killed}")
    running.asana.latency_seconds = 0
    assert cli("sync", killed).returncode == 0


@pytest.mark.fault("F2")
@pytest.mark.parametrize(
    ("number", "behind"),
    [
        pytest.param(signal.SIGINT, (), id="SIGINT"),
        pytest.param(signal.SIGTERM, (), id="SIGTERM"),
        # As a shell starts what it runs in its background.
        pytest.param(
            signal.SIGTERM, ("sh", "-c", 'trap "" INT; exec "$@"', "sh"), id="SIGTERM where SIGINT is ignored"
        ),
    ],
)
@pytest.mark.parametrize("begun", [True, False], ids=["while they ask Asana", "while they start"])
def test_an_interrupt_ends_all_that_are_under_way_and_begins_no_other(
    running: Running, cli: Cli, tmp_path: Path, database_url: str, number: int, behind: Sequence[str], begun: bool
) -> None:
    running.asana.latency_seconds = 120
    with started(tmp_path, database_url, "sync", "--all", behind=behind) as process:
        wait_for_both(running, process) if begun else wait_for_workers(process)
        process.send_signal(number)
        _, told = process.communicate(timeout=90)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "Interrupted."
    failed_with = status(cli)
    assert failed_with["two"] is None
    # One that has not begun has nothing to tell; a slow start may have.
    assert {failed_with["one"], failed_with["three"]} <= ({"Interrupted"} if begun else {None, "Interrupted"})


@pytest.mark.fault("G13")
@pytest.mark.parametrize("is_brief", [True, False], ids=["once", "for good"])
@pytest.mark.parametrize(
    "names", [pytest.param(["one", "two"], id="in turn"), pytest.param(["one", "two", "three"], id="side by side")]
)
def test_when_dagsters_storage_goes_away_all_are_tried_and_told_without_an_event(
    running: Running, cli: Cli, database_url: str, names: list[str], is_brief: bool
) -> None:
    port = int(str(psycopg.conninfo.conninfo_to_dict(database_url)["port"]))
    with Proxy(port) as proxy:
        # The rows of the first asset are written by then, and Dagster cannot be told of it.
        first, later = b"'ASSET_MATERIALIZATION'", b"INSERT INTO event_logs"

        def decide(_: int, message: bytes) -> str:
            return CUT if first in message or (later in message and proxy.cuts and not is_brief) else PASS

        proxy.reset(decide)
        failed = cli("sync", *names, PERFCOPILOT_DATABASE_URL=proxy.url(database_url))
    assert failed.returncode == 7
    for name in names:
        why = "Dagster's storage failed" if is_brief else "Postgres did not respond"
        assert f"GoalsStoreError: connection {name}: running the sync: {why}" in failed.stderr
    for trace in ("Traceback", "[parameters", "StepFailureData", "The process that was at"):
        assert trace not in failed.stderr
    assert failed.stdout == ""
    assert cli("sync", *names).returncode == 0


def test_a_worker_that_cannot_start_says_why_in_words_and_with_its_exit_code(
    running: Running, cli: Cli, tmp_path: Path
) -> None:
    refused = cli("sync", "--all", DAGSTER_HOME=str(tmp_path / "nowhere"))
    assert refused.returncode == 2
    assert "GoalsConfigError: DAGSTER_HOME is " in refused.stderr
    assert "Traceback" not in refused.stderr
