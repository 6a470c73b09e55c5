"""A real Postgres lets each role do its work, up to a whole sync, and denies it everything else."""

import datetime as dt
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner, Result

from perfcopilot_goals.cli import main
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.retention import InstanceRuns
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.sandbox import Person, Sandbox
from perfcopilot_goals.services.retention import purge
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.grants import RIGHTS, ROLES
from perfcopilot_goals.storage.migrate import HEAD, ensure_migrated
from perfcopilot_goals_tests.admin.filling import audited, connect, give_goal
from perfcopilot_goals_tests.admin.reading import Document
from perfcopilot_goals_tests.admin.serving import SECRET, served
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running, error_code, failure

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
            admin.execute(f"create role {prefix}_{role}_user login password 'of-a-role' in role {prefix}_{role}")
        yield {role: f"postgresql://{prefix}_{role}_user:of-a-role@{place}" for role in ROLES}
        admin.execute(f"reassign owned by {prefix}_owner, {prefix}_owner_user to current_user")
        for role in (f"{prefix}_{role}{end}" for end in ("_user", "") for role in ROLES):
            admin.execute(f"drop owned by {role}; drop role {role}")


def granted(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["grants", *arguments], prog_name="perfcopilot-goals")


def denied(url: str, statement: str) -> bool:
    with psycopg.connect(url) as conn:
        try:
            conn.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            return True
        finally:
            conn.rollback()
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
        "update perfcopilot_goals.connections set token_ref = 'env:OTHER'",
        "update perfcopilot_goals.connections set requests_per_minute = 1",
        "insert into perfcopilot_goals.connections select * from perfcopilot_goals.connections",
        "delete from perfcopilot_goals.connections",
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


def run_job(
    running: Running, instance: dg.DagsterInstance, job: str, config: dict[str, Any]
) -> dg.ExecuteInProcessResult:
    (step,) = running.definitions.resolve_job_def(job).nodes
    return running.definitions.resolve_job_def(job).execute_in_process(
        partition_key=running.name,
        instance=instance,
        run_config={"ops": {step.name: {"config": config}}},
        raise_on_error=False,
    )


@pytest.mark.fault("H12")
def test_a_job_under_the_loader_sets_the_workspace_and_maps_only_once_that_is_granted(
    logins: dict[str, str], fresh_url: str, prefix: str, asana: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asana.world.people["3"] = Person("3", "Cleo", "cleo@example.com")
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", logins["loader"])
    with dg.DagsterInstance.get() as instance:
        running = Running(Database(fresh_url), instance, build_definitions(load_settings()), asana)
        running.connect(workspace_gid="404")
        assert run_job(running, instance, "set_workspace", {"workspace_gid": "77", "enabled": True}).success
        assert running.rows("connections")[0]["workspace_gid"] == "77"

        assert run_job(running, instance, "match_employees", {}).success, "to look needs no right"
        refused = run_job(running, instance, "match_employees", {"apply": True})
        assert error_code(refused) == "GoalsStoreError"
        for said in (
            f"connection {running.name}",
            "the job match_employees changed nothing",
            "the database role that runs it may not map employees",
            f"Whoever is a member of the role owner may: perfcopilot-goals employee suggest {running.name} --apply",
            "perfcopilot-goals grants --apply --mapping-by-loader",
        ):
            assert said in failure(refused)
        assert [row["asana_user_gid"] for row in running.rows("employees")] == ["1", "2", None]

        monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", fresh_url)
        assert granted("--apply", "--prefix", prefix, "--mapping-by-loader").exit_code == 0
        assert run_job(running, instance, "match_employees", {"apply": True}).success
        assert [row["asana_user_gid"] for row in running.rows("employees")] == ["1", "2", "3"]
    for statement in ("set email = ''", "set manager_email = ''", "set employee_id = ''"):
        assert denied(logins["loader"], f"update perfcopilot_goals.employees {statement}")
    assert granted("--apply", "--prefix", prefix).exit_code == 0
    assert denied(logins["loader"], "update perfcopilot_goals.employees set asana_user_gid = '1'"), "taken back"


@pytest.mark.fault("H12")
def test_a_role_without_the_right_to_set_a_workspace_is_told_who_may(
    logins: dict[str, str], fresh_url: str, prefix: str, asana: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As before an upgrade was granted."""
    with psycopg.connect(fresh_url) as admin:
        admin.execute(f"revoke update (workspace_gid, enabled) on perfcopilot_goals.connections from {prefix}_loader")
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", logins["loader"])
    with dg.DagsterInstance.get() as instance:
        running = Running(Database(fresh_url), instance, build_definitions(load_settings()), asana)
        running.connect(workspace_gid="404")
        refused = run_job(running, instance, "set_workspace", {"workspace_gid": "77"})
    assert error_code(refused) == "GoalsStoreError"
    for said in (
        "the job set_workspace changed nothing: the database role that runs it may not change connections",
        f"member of the role owner may: perfcopilot-goals connection set {running.name} --workspace-gid GID",
        "perfcopilot-goals grants --apply",
    ):
        assert said in failure(refused)
    assert running.rows("connections")[0]["workspace_gid"] == "404"


RELATIONS = ["connections", "employees", "raw_workspace_goals", "owned_goals", "subgoals", "mapped_goal_rows"]
RELATIONS += ["prompt_blocks", "syncs", "erased", "erasure_keys", "alembic_version", "goals", "goal_key_results"]
RELATIONS += ["goal_counts", "block_versions", "goal_versions", "status_changes", "audit_log"]


@pytest.mark.fault("H12")
@pytest.mark.parametrize("role", ["application", "analyst"])
def test_a_reader_reads_its_relations_and_no_other(logins: dict[str, str], role: str) -> None:
    readable = [name for name in RELATIONS if not denied(logins[role], f"select * from perfcopilot_goals.{name}")]
    history = ["block_versions", "goal_versions", "status_changes"]
    expected = {"application": ["prompt_blocks", "goals", "goal_key_results", *history], "analyst": ["goal_counts"]}
    assert readable == expected[role]
    for name in ("prompt_blocks", "goals", "goal_key_results", "mapped_goal_rows"):
        assert denied(logins[role], f"delete from perfcopilot_goals.{name}")
    for statement in ("select * from perfcopilot_dagster.runs", "select * from payroll.salaries"):
        assert denied(logins[role], statement)


@pytest.mark.fault("H12")
def test_the_admin_page_works_as_administrator_and_writes_no_goal(logins: dict[str, str], tmp_path: Path) -> None:
    database = Database(logins["administrator"])
    ensure_migrated(database)
    with served(database, load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})) as page:
        browser = page.administrator()
        form = browser.open("/admin").form("/admin/connections/add")
        browser.done(browser.send(form, {"connection": "acme", "workspace_gid": "77"}))
        upload = browser.open("/admin?tab=employees").form("/admin/employees/preview")
        roster = b"employee_id,full_name,email,asana_user_gid\nE1,Ana,ana@example.com,11\n"
        shown = Document(browser.send(upload, file=roster).text)
        document = browser.done(browser.send(shown.form("/admin/employees/import")))
        browser.done(browser.send(document.form("/admin/employees/unmap", employee="E1")))
        settings = browser.open("/admin").form("/admin/connections/change", has_switches="1")
        browser.done(browser.send(settings, {"requests_per_minute": "150"}))
        for tab in ("integrations", "employees", "goals", "goals&connection=acme&employee=E1", "syncs", "audit"):
            browser.open(f"/admin?tab={tab}")
        browser.done(browser.send(browser.open("/admin").form("/admin/connections/remove"), {"typed": "acme"}))
        assert page.dagster.partitions == set()
    for statement in (
        "insert into perfcopilot_goals.prompt_blocks select * from perfcopilot_goals.prompt_blocks",
        "update perfcopilot_goals.mapped_goal_rows set name = ''",
        "delete from perfcopilot_goals.audit_log",
        "update perfcopilot_goals.audit_log set actor = ''",
        "delete from perfcopilot_goals.erased",
        "select * from payroll.salaries",
    ):
        assert denied(logins["administrator"], statement)


@pytest.mark.fault("H12")
def test_an_admin_page_for_managers_only_reads_goals_through_views(
    logins: dict[str, str], fresh_url: str, tmp_path: Path
) -> None:
    admin, database = Database(fresh_url), Database(logins["manager"])
    connect(admin, Employee("E1", "Ana", "ana@example.com", "11", "bo@example.com"))
    give_goal(admin, "E1", "Grow traffic")
    ensure_migrated(database)
    environment = {"PERFCOPILOT_HOME": str(tmp_path / "state"), "PERFCOPILOT_ADMIN_PROXY_SECRET": SECRET}
    with served(database, load_settings(environment)) as page:
        bo = page.user("bo@example.com")
        assert "Ana" in bo.open("/admin").text
        assert "Grow traffic" in bo.open("/admin?tab=goals&connection=acme&employee=E1").text
    assert audited(admin) == [("bo@example.com", "looked_at_goals", ["E1"])]
    readable = [name for name in RELATIONS if not denied(logins["manager"], f"select * from perfcopilot_goals.{name}")]
    assert readable == ["prompt_blocks", "syncs", "alembic_version", "goals", "goal_key_results"]
    for statement in (
        "select mapping_conflict from perfcopilot_goals.employees",
        "update perfcopilot_goals.employees set manager_email = 'x@example.com'",
        "delete from perfcopilot_goals.audit_log",
        "select * from perfcopilot_dagster.runs",
    ):
        assert denied(logins["manager"], statement)


@pytest.mark.fault("H12")
def test_the_analyst_sees_counts_and_no_name(logins: dict[str, str], fresh_url: str) -> None:
    with psycopg.connect(fresh_url) as admin:
        for gid, who, status in (("1", "E1", "on_track"), ("2", "E1", "on_track"), ("3", "E2", "at_risk")):
            admin.execute(
                "insert into perfcopilot_goals.mapped_goal_rows values ('acme', '2026-03-02', 'r', %s, %s, %s, 'goal', "
                "0, 'Canary name', 'Canary description', null, null, null, %s)",
                [gid, gid, who, status],
            )
    with psycopg.connect(logins["analyst"]) as conn:
        rows = conn.execute("select * from perfcopilot_goals.goal_counts order by status").fetchall()
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
        admin.execute("drop view perfcopilot_goals.goal_counts, perfcopilot_goals.status_changes")
        admin.execute("drop table perfcopilot_goals.block_versions, perfcopilot_goals.goal_versions")
        admin.execute("alter table perfcopilot_goals.syncs drop column receipt")
        for table in ("erased", "erasure_keys", "audit_log", "roster_changes"):
            admin.execute(f"drop table perfcopilot_goals.{table}")
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
