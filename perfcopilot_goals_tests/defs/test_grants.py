"""A real Postgres lets each role do its work, up to a whole sync, and denies it everything else."""

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result

from perfcopilot_goals.cli import main
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.retention import InstanceRuns
from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.services.retention import purge
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.grants import RIGHTS, ROLES
from perfcopilot_goals.storage.migrate import HEAD, ensure_migrated
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running

_prefixes = (f"granted{number}" for number in itertools.count(1))


@pytest.fixture
def prefix() -> str:
    return next(_prefixes)


@pytest.fixture
def logins(fresh_url: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """URL of a member of each role, in a database that `grants --apply` was run on."""
    monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", fresh_url)
    applied = granted("--apply", "--prefix", prefix)
    assert applied.exit_code == 0, applied.output
    place = fresh_url.rpartition("@")[2]
    with psycopg.connect(fresh_url, autocommit=True) as admin:
        admin.execute("create schema payroll create table salaries (name text)")
        for role in ROLES:
            admin.execute(f"create role {prefix}_{role}_user login password 'x' in role {prefix}_{role}")
        yield {role: f"postgresql://{prefix}_{role}_user:x@{place}" for role in ROLES}
        admin.execute(f"reassign owned by {prefix}_owner, {prefix}_owner_user to current_user")
        for role in (f"{prefix}_{role}{end}" for end in ("_user", "") for role in ROLES):
            admin.execute(f"drop owned by {role}; drop role {role}")


def granted(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["grants", *arguments], prog_name="perfcopilot-goals")


def denied(url: str, statement: str) -> bool:
    with psycopg.connect(url) as database:
        try:
            database.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            database.rollback()
    return False


@pytest.mark.fault("H12")
def test_a_member_of_the_loader_runs_a_whole_sync_and_retention_and_one_of_the_owner_erases(
    logins: dict[str, str],
    fresh_url: str,
    asana: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", logins["loader"])
    with dg.DagsterInstance.get() as instance:
        running = Running(Database(fresh_url), instance, build_definitions(load_settings()), asana)
        running.connect()
        for _ in range(2):
            assert running.sync(checked=True).success
        (settings,) = running.rows("connections")
        assert (settings["users_seen"], asana.count("/users")) == (2, 1), "it may note what it saw of the users"
        assert instance.get_runs_count() == 2
        later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        purged = purge(InstanceRuns(instance), Database(logins["loader"]), load_settings(), later)
        assert (purged.syncs, purged.runs, instance.get_runs_count()) == (1, 1, 1)
    assert "Grow web traffic by 30%" in running.block("E1")
    assert [row["state"] for row in running.sync_log()] == ["complete"]
    with psycopg.connect(fresh_url) as admin:
        authors = admin.execute("select tableowner from pg_tables where schemaname like 'perfcopilot%'").fetchall()
    assert {owner for (owner,) in authors} == {logins["owner"].split("//")[1].rpartition("_user")[0]}

    erase = ["employee", "erase", running.name, "E1", "--yes", "--verify", "Ada Thimble"]
    assert CliRunner().invoke(main, erase).exit_code == 7, "the loader may not"
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", logins["owner"])
    erased = CliRunner().invoke(main, erase)
    assert erased.exit_code == 0, erased.output
    assert [row["employee_id"] for row in running.rows("employees")] == ["E2", "E3"]


@pytest.mark.fault("H12")
@pytest.mark.parametrize(
    "statement",
    [
        "truncate perfcopilot_goals.prompt_blocks",
        "truncate perfcopilot_dagster.event_logs",
        "drop table perfcopilot_goals.prompt_blocks",
        "alter table perfcopilot_goals.prompt_blocks add column more text",
        "create table perfcopilot_goals.more (id text)",
        "create table perfcopilot_dagster.more (id text)",
        "create schema more",
        "select * from payroll.salaries",
        "create table payroll.more (id text)",
        "update perfcopilot_goals.connections set base_url = 'https://example.com'",
        "insert into perfcopilot_goals.employees select * from perfcopilot_goals.employees",
        "update perfcopilot_goals.connections set check_users = false",
        "update perfcopilot_goals.connections set workspace_gid = '1'",
        "update perfcopilot_goals.connections set updated_at = now()",
        "update perfcopilot_goals.employees set asana_user_gid = '1'",
        "update perfcopilot_goals.employees set email = 'x@example.com'",
        "update perfcopilot_goals.employees set manager_email = 'x@example.com'",
        "delete from perfcopilot_goals.employees",
        "delete from perfcopilot_goals.erased",
        "update perfcopilot_goals.prompt_blocks set block = ''",
        "update perfcopilot_goals.alembic_version set version_num = ''",
        "select * from pg_authid",
    ],
)
def test_the_loader_is_denied_what_a_sync_does_not_need(logins: dict[str, str], statement: str) -> None:
    assert denied(logins["loader"], statement)


RELATIONS = ["connections", "employees", "raw_workspace_goals", "owned_goals", "subgoals", "mapped_goal_rows"]
RELATIONS += ["prompt_blocks", "syncs", "erased", "erasure_keys", "alembic_version", "goals", "goal_key_results"]
RELATIONS += ["goal_counts"]


@pytest.mark.fault("H12")
@pytest.mark.parametrize("role", ["application", "analyst"])
def test_a_reader_reads_its_relations_and_no_other(logins: dict[str, str], role: str) -> None:
    readable = [name for name in RELATIONS if not denied(logins[role], f"select * from perfcopilot_goals.{name}")]
    expected = {"application": ["prompt_blocks", "goals", "goal_key_results"], "analyst": ["goal_counts"]}
    assert readable == expected[role]
    for name in ("prompt_blocks", "goals", "goal_key_results", "mapped_goal_rows"):
        assert denied(logins[role], f"delete from perfcopilot_goals.{name}")
    for statement in ("select * from perfcopilot_dagster.runs", "select * from payroll.salaries"):
        assert denied(logins[role], statement)


@pytest.mark.fault("H12")
def test_the_analyst_sees_counts_and_no_name(logins: dict[str, str], fresh_url: str) -> None:
    with psycopg.connect(fresh_url) as admin:
        for gid, who, status in (("1", "E1", "on_track"), ("2", "E1", "on_track"), ("3", "E2", "at_risk")):
            admin.execute(
                "insert into perfcopilot_goals.mapped_goal_rows values ('acme', '2026-03-02', 'r', %s, %s, %s, 'goal', "
                "0, 'Canary name', 'Canary description', null, null, null, %s)",
                [gid, gid, who, status],
            )
    with psycopg.connect(logins["analyst"]) as database:
        rows = database.execute("select * from perfcopilot_goals.goal_counts order by status").fetchall()
    assert [row[:5] for row in rows] == [("acme", "goal", "at_risk", 1, 1), ("acme", "goal", "on_track", 2, 1)]
    assert "Canary" not in str(rows)


@pytest.mark.fault("H12", "D11")
def test_the_loader_does_not_migrate_and_says_who_does(logins: dict[str, str], fresh_url: str) -> None:
    ensure_migrated(Database(logins["loader"]))
    set_version(fresh_url, "0002")
    with pytest.raises(GoalsStoreError, match=f"not at version {HEAD}.* perfcopilot-goals grants --apply") as caught:
        ensure_migrated(Database(logins["loader"]))
    assert (caught.value.sqlstate, caught.value.retryable) == ("42501", False)


def test_a_member_of_the_owner_migrates_without_the_right_to_create_schemas(
    logins: dict[str, str], fresh_url: str
) -> None:
    with psycopg.connect(fresh_url) as admin:
        for column in ("check_users", "users_checked_at", "users_seen"):
            admin.execute(f"alter table perfcopilot_goals.connections drop column {column}")
        for column in ("mapping_conflict", "manager_email"):
            admin.execute(f"alter table perfcopilot_goals.employees drop column {column}")
        admin.execute("drop view perfcopilot_goals.goal_counts")
        admin.execute("drop table perfcopilot_goals.erased, perfcopilot_goals.erasure_keys")
        admin.execute("drop table perfcopilot_goals.roster_changes")
        admin.execute("drop function perfcopilot_goals.note_roster_change cascade")
        admin.execute("drop index perfcopilot_goals.syncs_by_start")
    set_version(fresh_url, "0002")
    assert denied(logins["owner"], "create schema more")
    ensure_migrated(Database(logins["owner"]))
    with psycopg.connect(fresh_url) as admin:
        assert admin.execute("select version_num from perfcopilot_goals.alembic_version").fetchone() == (HEAD,)


def set_version(url: str, version: str) -> None:
    with psycopg.connect(url) as admin:
        admin.execute("update perfcopilot_goals.alembic_version set version_num = %s", [version])


def test_granting_again_changes_nothing_and_takes_back_what_does_not_belong(
    logins: dict[str, str], fresh_url: str, prefix: str
) -> None:
    query = (
        "select relnamespace, relname, array(select unnest(relacl)::text order by 1), relowner, "
        "array(select attname || unnest(attacl)::text from pg_attribute where attrelid = c.oid order by 1) "
        "from pg_class c where relnamespace::regnamespace::text like 'perfcopilot%' order by 1, 2"
    )
    with psycopg.connect(fresh_url, autocommit=True) as admin:
        before = admin.execute(query).fetchall()
        admin.execute(f"grant select on perfcopilot_goals.employees to {prefix}_application")
        admin.execute(f"grant update (email) on perfcopilot_goals.employees to {prefix}_loader")
        assert not denied(logins["application"], "select * from perfcopilot_goals.employees")
        assert granted("--apply", "--prefix", prefix).exit_code == 0
        assert denied(logins["application"], "select * from perfcopilot_goals.employees")
        assert denied(logins["loader"], "update perfcopilot_goals.employees set email = ''")
        assert admin.execute(query).fetchall() == before


def test_the_sql_is_printed_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    printed = granted("--print")
    assert printed.exit_code == 0
    for role in ROLES:
        assert f"perfcopilot_{role}" in printed.stdout
    for role, tables in RIGHTS.items():
        for table, rights in tables.items():
            assert f"grant {rights} on perfcopilot_goals.{table} to perfcopilot_{role};" in printed.stdout
    assert "truncate" not in printed.stdout.lower()


@pytest.mark.parametrize("arguments", [[], ["--print", "--apply"], ["--print", "--prefix", "a;drop"]])
def test_what_cannot_be_meant_is_refused(arguments: list[str]) -> None:
    assert granted(*arguments).exit_code == 2
