"""One person is erased after real syncs: nothing of them is left anywhere, nothing brings them back.

`planted` first puts their ids wherever a sync may put them: in an unread list in the sync log, in checks, and in a
failure that names a goal.
"""

import json
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from perfcopilot_goals.cli import main
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.scripted_faults import Script, asks_subgoals_of

PAT, NED, WORKSPACE = "1200000000007311", "1200000000000012", "1200000000000001"
FIRST, UNREAD, SHARED, CHILD = (f"13000000000073{number}" for number in ("01", "02", "03", "04"))
NEDS = "1300000000000009"
TEXTS = ["Quilla Canary", "Quilla@Canary.example", "Canary goal", "Canary notes"]
IDS = ["E003", PAT, FIRST, UNREAD]
ROSTER = f"""employee_id,full_name,email,asana_user_gid,manager_email
E003,Quilla Canary,quilla@canary.example,{PAT},
E0031,Ned Stays,ned@example.com,{NED},quilla@canary.example
E004,Una Mapped,una@example.com,,ned@example.com
"""


def company() -> World:
    """Quilla owns more goals than fit, one with a word that no review knows, and a key result of Ned's goal."""
    people = {PAT: Person(PAT, "Quilla Canary", "quilla@canary.example"), NED: Person(NED, "Ned", "ned@example.com")}
    world = World(WORKSPACE, "Company", people)
    world.add(Goal(FIRST, "Canary goal one", PAT, html_notes="Canary notes", status_type="canary_word"))
    world.add(Goal(NEDS, "Ned's goal", NED, status_type="on_track"))
    world.add(Goal(UNREAD, "Canary goal two", PAT))
    world.add(Goal(SHARED, "Print the plan", PAT, status_type="at_risk"), NEDS)
    world.add(Goal(CHILD, "Ask around", None, status_type="another_word"), FIRST)
    for number in range(200):
        world.add(Goal(f"14{number:014}", f"Canary goal {number}", PAT))
    return world


def slices(url: str) -> dict[str, list[tuple[object, ...]]]:
    """What is stored of everybody but Quilla, without the moment and the run."""
    others = {
        "raw_workspace_goals": "owner_gid is distinct from %(gid)s",
        "subgoals": "goal_gid = %(neds)s",
    }
    kept = {}
    with psycopg.connect(url) as conn:
        for table in SLICE_TABLES:
            query = f"select to_jsonb(t) - '{{run_id,synced_at}}'::text[] from perfcopilot_goals.{table} t where "
            query += others.get(table, "employee_id <> 'E003'") + " order by 1"
            kept[table] = conn.execute(query, {"gid": PAT, "neds": NEDS}).fetchall()
    return kept


@pytest.fixture
def cli(cli: Cli, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """As the others', but all that is no sync is run in this process: most of a command's time is its start."""
    root = str(load_settings({}).project_root)
    for name, value in environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url, DAGSTER_HOME=root).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        if "sync" in arguments:
            return cli(*arguments, DAGSTER_HOME=root)
        done = CliRunner().invoke(main, arguments, prog_name="perfcopilot-goals")
        return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)

    return run


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, "utf-8")
    return path


def planted(cli: Cli, asana: Sandbox, roster: Path) -> None:
    settings = ["--workspace-gid", WORKSPACE, "--base-url", asana.base_url, "--requests-per-minute", "60000"]
    assert cli("connection", "add", "acme", *settings).returncode == 0
    assert cli("employee", "import", "acme", str(roster)).returncode == 0
    assert cli("employee", "unmap", "acme", "E003").returncode == 0
    assert f"({PAT}: " in cli("sync", "acme").stdout
    assert cli("employee", "map", "acme", "E003", PAT).returncode == 0
    asana.faults = Script().on(faults.edit_rows(lambda row: row | {"due_on": "soon"}), path="/goals")
    failed = cli("--debug", "sync", "acme")
    assert f"object {FIRST}" in failed.stderr
    asana.faults = Script().on(faults.status(404, "goal: Unknown object"), when=asks_subgoals_of(UNREAD))
    synced = cli("sync", "acme")
    assert synced.returncode == 0, synced.stderr
    for line in ("no_employee_is_truncated: 1 (E003: 203)", f"every_subgoal_list_was_read: 1 ({UNREAD})"):
        assert line in synced.stdout
    assert f"({FIRST}, {CHILD})" in synced.stdout or f"({CHILD}, {FIRST})" in synced.stdout


def found(cli: Cli, *texts: str) -> dict[str, list[str]]:
    """Where these stand, looked for by way of somebody who was erased before."""
    done = cli("employee", "erase", "acme", "E004", "--yes", "--json", "--verify", *texts)
    traces: dict[str, list[str]] = json.loads(done.stdout)["found"]
    assert done.returncode == bool(traces)
    return traces


@pytest.mark.fault("H20")
def test_an_erased_person_is_nowhere_and_does_not_come_back(
    cli: Cli, roster: Path, database_url: str, tmp_path: Path
) -> None:
    with Sandbox(company(), token=TOKEN) as asana:
        planted(cli, asana, roster)
        places = found(cli, *TEXTS, *IDS)
        assert sorted(places) == sorted([*TEXTS, *IDS])
        for dagsters in ("event_logs.event", "asset_check_executions.evaluation_event"):
            assert f"perfcopilot_dagster.{dagsters}" in places["E003"]
        assert "perfcopilot_goals.syncs.counts" in places[UNREAD]
        assert any(place.endswith(".err") for place in places[FIRST])
        before, block = slices(database_url), cli("prompt", "acme", "E0031").stdout
        assert "  - KR (status: at_risk): Print the plan" in block

        erased = cli("employee", "erase", "acme", "E003", "--yes", "--verify", *TEXTS, *IDS)
        assert erased.returncode == 0, erased.stderr + erased.stdout
        assert "perfcopilot_goals.owned_goals: 200" in erased.stdout
        assert "perfcopilot_goals.employees: 1" in erased.stdout
        assert "None of the 8 texts was found." in erased.stderr
        # The goal that is Ned's key result stays in Ned's review, without its owner.
        (disowned,) = before["subgoals"]
        before["subgoals"] = [({**disowned[0], "owner_gid": None},)]  # type: ignore[dict-item]
        assert slices(database_url) == before
        assert cli("prompt", "acme", "E0031").stdout == block

        imported = cli("employee", "import", "acme", str(roster))
        assert "2 were left out: they were erased from acme." in imported.stdout
        assert "Quilla" not in imported.stdout + imported.stderr
        assert cli("employee", "map", "acme", "E0031", PAT).returncode == 2
        asana.faults = None
        assert cli("employee", "unmap", "acme", "E0031").returncode == 0
        suggested = cli("employee", "suggest", "acme", "--apply", "--json")
        assert json.loads(suggested.stdout)["applied"] == 1
        assert not [text for text in (PAT, "Quilla") if text in suggested.stdout + suggested.stderr]
        assert cli("sync", "acme").returncode == 0
        assert found(cli, *TEXTS, *IDS) == {}
        assert slices(database_url) == before
        assert cli("prompt", "acme", "E0031").stdout == block
        assert cli("prompt", "acme", "E003").returncode == 2
    kept = "".join(path.read_text("utf-8") for path in (tmp_path / "state").rglob("*.err"))
    assert f"object {'*' * len(FIRST)}: field due_on" in kept
    check_dagster_reads_its_events(database_url)


def check_dagster_reads_its_events(url: str) -> None:
    from dagster._core.events.log import EventLogEntry
    from dagster._serdes import deserialize_value

    with psycopg.connect(url) as conn:
        events = conn.execute("select event from perfcopilot_dagster.event_logs").fetchall()
        events += conn.execute(
            "select evaluation_event from perfcopilot_dagster.asset_check_executions where evaluation_event is not null"
        ).fetchall()
    assert all(deserialize_value(event, EventLogEntry) for (event,) in events)
    assert any("[erased]: 203" in event for (event,) in events)


@pytest.mark.fault("H20")
def test_another_connections_person_with_the_same_id_is_left_alone(cli: Cli, roster: Path, database_url: str) -> None:
    world = company()
    world.goals = {gid: world.goals[gid] for gid in (FIRST, NEDS, SHARED)}
    with Sandbox(world, token=TOKEN) as asana:
        for name in ("acme", "globex"):
            add = ["--workspace-gid", WORKSPACE, "--base-url", asana.base_url, "--requests-per-minute", "60000"]
            assert cli("connection", "add", name, *add).returncode == 0
            assert cli("employee", "import", name, str(roster)).returncode == 0
            assert "every_employee_is_mapped: 1 (E004)" in cli("sync", name).stdout
    query = (
        "select event from perfcopilot_dagster.event_logs join perfcopilot_dagster.run_tags using (run_id) "
        "where event like '%%E004%%' and key = 'dagster/partition' and value = %s order by event_logs.id"
    )
    with psycopg.connect(database_url) as conn:
        before = conn.execute(query, ["globex"]).fetchall()
        assert before
        assert conn.execute(query, ["acme"]).fetchall()
        assert cli("employee", "erase", "acme", "E004", "--yes").returncode == 0
        conn.commit()
        assert conn.execute(query, ["globex"]).fetchall() == before
        assert conn.execute(query, ["acme"]).fetchall() == []
    people = json.loads(cli("employee", "list", "globex", "--json").stdout)
    assert [person["employee_id"] for person in people] == ["E003", "E0031", "E004"]


def test_nobody_is_erased_by_mistake(cli: Cli, roster: Path) -> None:
    with Sandbox(company(), token=TOKEN) as asana:
        settings = ["--workspace-gid", WORKSPACE, "--base-url", asana.base_url]
        assert cli("connection", "add", "acme", *settings).returncode == 0
        assert cli("employee", "import", "acme", str(roster)).returncode == 0
    unasked = cli("employee", "erase", "acme", "E003")
    assert unasked.returncode == 130
    assert "This cannot be undone" in unasked.stderr
    assert "Not confirmed, so nothing was changed." in unasked.stderr
    for arguments, says in (
        (["nope", "E003"], "no connection"),
        (["acme", "E77"], "no employee 'E77', so nothing was erased"),
        (["acme", "E003", "E0031"], "one employee at a time"),
    ):
        refused = cli("employee", "erase", *arguments, "--yes")
        assert refused.returncode == 2
        assert says in refused.stderr
    assert [row["employee_id"] for row in json.loads(cli("employee", "list", "acme", "--json").stdout)] == [
        "E003",
        "E0031",
        "E004",
    ]


@pytest.fixture
def unsynced(cli: Cli, roster: Path) -> Cli:
    """A company with the roster and without a sync."""
    assert cli("connection", "add", "acme", "--workspace-gid", WORKSPACE).returncode == 0
    assert cli("employee", "import", "acme", str(roster)).returncode == 0
    return cli


@pytest.mark.fault("H20")
def test_an_erasure_takes_as_long_as_it_needs(
    unsynced: Cli, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads all of Dagster's events. The limits of a sync once ended it, again and again."""
    hasty = f"{database_url}?options=-c%20statement_timeout%3D1s%20-c%20lock_timeout%3D1s"
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", hasty)
    with psycopg.connect(database_url) as busy:
        busy.execute("lock table perfcopilot_goals.goal_versions")
        ends = threading.Timer(2, busy.rollback)
        ends.start()
        erased = unsynced("employee", "erase", "acme", "E003", "--yes", "--verify", "Quilla")
        ends.join()
    assert (erased.returncode, "None of the 1 texts was found." in erased.stderr) == (0, True), erased.stderr
    Database(hasty).close()


@pytest.mark.fault("H20")
def test_an_erasure_says_that_the_person_is_gone_although_cleaning_up_failed(unsynced: Cli, database_url: str) -> None:
    with psycopg.connect(database_url) as admin:
        admin.execute(
            "create function refuse() returns trigger language plpgsql as "
            "$$ begin raise exception 'canary' using errcode = '53100'; end $$"
        )
        admin.execute("create trigger refuse before insert on perfcopilot_goals.owned_goals execute function refuse()")
    erased = unsynced("employee", "erase", "acme", "E003", "--yes", "--verify", "Quilla")
    assert erased.returncode == 7
    assert "Erased E003 from acme." in erased.stdout
    assert "cleaning up after an erasure: Postgres said SQLSTATE 53100" in erased.stderr
    assert "VACUUM (ANALYZE) in Postgres, then this command again" in erased.stderr
    assert "None of the 1 texts was found." in erased.stderr
    with psycopg.connect(database_url) as admin:
        admin.execute("drop function refuse cascade")
    assert unsynced("employee", "erase", "acme", "E003", "--yes").returncode == 0
