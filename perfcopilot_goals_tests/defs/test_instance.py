"""The instance of the checkout's dagster.yaml: where it keeps things, who may share them, what it passes on."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import dagster as dg
import psycopg
import pytest
import sqlalchemy
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.ref import InstanceRef
from dagster._core.scheduler.instigation import TickStatus
from dagster._serdes import serialize_value

from perfcopilot_goals.defs.instance import dagster_url
from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals_tests.defs.running_instance import Running
from perfcopilot_goals_tests.pgbouncer import needs_pgbouncer, pgbouncer


def test_a_job_runs_on_it_and_its_events_are_in_postgres(running: Running, real_instance: dg.DagsterInstance) -> None:
    running.instance = real_instance
    real_instance.add_dynamic_partitions("connections", [running.name])
    result = running.sync()
    assert result.success
    with psycopg.connect(running.database.url) as conn:
        counts = conn.execute(
            "select (select count(*) from perfcopilot_dagster.event_logs where run_id = %s), "
            "(select count(*) from perfcopilot_dagster.runs where run_id = %s)",
            [result.run_id, result.run_id],
        ).fetchone()
        strays = conn.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert counts is not None
    assert counts[0] > 50
    assert (counts[1], strays) == (1, (0,))


OPEN = """
import sys
import dagster as dg
with dg.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("connections", [sys.argv[1]])
    print(len(instance.get_runs()), flush=True)
"""


def test_three_processes_open_a_new_database_at_once(fresh_url: str, tmp_path: Path) -> None:
    root = load_settings({}).project_root
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(root),
        "PERFCOPILOT_DATABASE_URL": fresh_url,
        "PERFCOPILOT_HOME": str(tmp_path / "state"),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, f"key-{number}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    outcomes = [(*process.communicate(timeout=90), process.returncode) for process in processes]
    assert [(out, code) for out, _, code in outcomes] == [("0\n", 0)] * 3, outcomes
    with psycopg.connect(fresh_url) as conn:
        keys = conn.execute("select partition from perfcopilot_dagster.dynamic_partitions order by 1").fetchall()
    assert keys == [("key-0",), ("key-1",), ("key-2",)]


def test_its_reference_holds_no_password_and_no_address(real_instance: dg.DagsterInstance, database_url: str) -> None:
    ref = real_instance.get_ref()
    parts = urlsplit(database_url)
    for text in (serialize_value(ref), repr(ref), str(ref.to_dict())):
        assert parts.password
        assert parts.password not in text
        assert f":{parts.port}" not in text
    again = InstanceRef.from_dict(ref.to_dict())  # type: ignore[no-untyped-call]
    with dg.DagsterInstance.from_ref(again) as other:
        assert other.get_runs() == real_instance.get_runs()


@pytest.mark.fault("H8")
def test_its_files_are_its_owners_alone(running: Running, real_instance: dg.DagsterInstance, tmp_path: Path) -> None:
    running.instance = real_instance
    real_instance.add_dynamic_partitions("connections", [running.name])
    running.sync()
    state = tmp_path / "state"
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (state, state / "dagster")] == [0o700, 0o700]
    assert list((state / "dagster").rglob("*.err"))


@pytest.mark.fault("G2", "G4", "G6", "H23")
def test_it_has_the_limits_that_the_contract_rests_on(real_instance: dg.DagsterInstance) -> None:
    assert real_instance.run_monitoring_enabled
    assert real_instance.run_monitoring_max_runtime_seconds > 0
    assert not real_instance.telemetry_enabled
    assert real_instance.run_retries_enabled
    assert not real_instance.run_retries_retry_on_asset_or_op_failure
    queue = real_instance.get_concurrency_config().run_queue_config
    assert queue is not None
    (limit,) = queue.tag_concurrency_limits
    assert (limit["key"], limit["limit"], limit["value"]) == (
        "dagster/partition",
        1,
        {"applyLimitPerUniqueValue": True},
    )


@pytest.mark.parametrize("way", ["autocommit", "snapshot"])
def test_it_leaves_the_products_own_kept_connections_alone(
    real_instance: dg.DagsterInstance, database: Database, way: str
) -> None:
    """Its check of kept connections once began a transaction on ours; a snapshot or a vacuum then failed."""
    assert real_instance.get_runs(limit=1) is not None
    with database.connect("using a connection") as conn:
        first = driver(conn).info.backend_pid
    with database.connect("using it again", **{way: True}) as conn:
        assert driver(conn).info.backend_pid == first


@pytest.mark.fault("H31")
@pytest.mark.parametrize("kind", [InstigatorType.SCHEDULE, InstigatorType.SENSOR], ids=lambda kind: kind.value)
def test_no_tick_is_kept_for_ever(real_instance: dg.DagsterInstance, kind: InstigatorType) -> None:
    days = real_instance.get_tick_retention_settings(kind)
    assert set(days) == set(TickStatus)
    assert all(0 < days[status] <= 90 for status in days)


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        (
            f"postgresql://user:{quote('p%41@:/ ?#', safe='')}@host:5433/db",
            {"user": "user", "password": "p%41@:/ ?#", "host": "host", "port": "5433", "dbname": "db"},
        ),
        ("postgresql://user@[::1]:5433/db", {"user": "user", "host": "::1", "port": "5433", "dbname": "db"}),
        ("postgresql:///db?host=/run/pg&user=me", {"user": "me", "host": "/run/pg", "dbname": "db"}),
        ("postgresql://%2Frun%2Fpg/db", {"host": "/run/pg", "dbname": "db"}),
        ("postgresql://a:1,b:2/db", {"host": "a,b", "port": "1,2", "dbname": "db"}),
        ("postgresql://a/db?sslmode=require", {"host": "a", "dbname": "db", "sslmode": "require"}),
    ],
)
def test_dagster_connects_where_we_do(url: str, arguments: dict[str, str]) -> None:
    engine = sqlalchemy.create_engine(dagster_url(Database(url)))
    assert engine.dialect.create_connect_args(engine.url)[1] == arguments
    assert engine.driver == "psycopg2"


def test_options_of_the_url_are_kept_beside_dagsters_schema(database_url: str) -> None:
    engine = sqlalchemy.create_engine(dagster_url(Database(f"{database_url}?options=-c%20lock_timeout%3D7s")))
    with engine.connect() as conn:
        settings = [conn.exec_driver_sql(f"show {name}").scalar() for name in ("lock_timeout", "search_path")]
    engine.dispose()
    assert settings == ["7s", "perfcopilot_dagster"]
    assert engine.dialect.default_schema_name == "perfcopilot_dagster"


def test_a_password_with_awkward_characters_opens_the_instance(
    fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "p%41@:/ ?#'\"\\%s"
    with psycopg.connect(fresh_url, autocommit=True) as admin:
        admin.execute(f"create role awkward superuser login password {psycopg.sql.Literal(password).as_string(admin)}")
        url = f"postgres://awkward:{quote(password, safe='')}@{fresh_url.rpartition('@')[2]}"
        monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", url)
        monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
        with dg.DagsterInstance.get() as instance:
            assert instance.get_runs() == []
        admin.execute("drop owned by awkward cascade")
        admin.execute("drop role awkward")


@needs_pgbouncer
@pytest.mark.parametrize("ignored", ["", "options"], ids=["options refused", "options ignored"])
@pytest.mark.fault("E34")
def test_by_way_of_a_pooler_in_session_mode_its_tables_are_in_their_schema(
    fresh_url: str, ignored: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
    with pgbouncer(fresh_url, ignore_startup_parameters=ignored) as url:
        monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", url)
        for _ in range(2):
            with dg.DagsterInstance.get() as instance:
                instance.add_dynamic_partitions("connections", ["acme"])
                assert instance.get_dynamic_partitions("connections") == ["acme"]
    assert _dagster_tables(fresh_url) == {"perfcopilot_dagster"}


@needs_pgbouncer
@pytest.mark.fault("E35")
def test_by_way_of_a_pooler_in_transaction_mode_it_does_not_open(
    fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
    with pgbouncer(fresh_url, pool_mode="transaction", ignore_startup_parameters="options") as url:
        monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", url)
        with pytest.raises(GoalsConfigError, match="transaction mode"):
            dg.DagsterInstance.get()
    assert _dagster_tables(fresh_url) == set()


@pytest.mark.fault("E31", "E33")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: re.sub(r"//.*@", "//postgres:hunter2@", url), "Postgres refused the user or the password"),
        (lambda url: url.rpartition("/")[0] + "/no_such", "Postgres has no such database"),
        (lambda url: re.sub(r"@.*/", "@127.0.0.1:1/", url), "nothing takes connections at the database's host"),
    ],
    ids=["password", "database", "port"],
)
def test_a_database_that_cannot_hold_it_is_reported_by_its_cause(
    database_url: str, change: Callable[[str], str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", change(database_url))
    with pytest.raises(GoalsStoreError, match=said):
        dg.DagsterInstance.get()


def _dagster_tables(url: str) -> set[str]:
    """The schemas in which tables of Dagster's are."""
    with psycopg.connect(url) as conn:
        rows = conn.execute("select schemaname from pg_tables where tablename in ('runs', 'event_logs', 'kvs')")
        return {schema for (schema,) in rows}


@pytest.fixture
def only_user(fresh_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance of the checkout's dagster.yaml in a database that nobody else is connected to."""
    monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", fresh_url)
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.mark.fault("E3")
def test_connections_are_kept_and_those_that_ended_are_replaced(only_user: dg.DagsterInstance, fresh_url: str) -> None:
    def backends() -> set[int]:
        # Ours have a name. Autovacuum's workers have none, and come and go.
        query = (
            "select pid from pg_stat_activity "
            "where datname = %s and application_name = '' and backend_type = 'client backend'"
        )
        return {pid for (pid,) in admin.execute(query, [name])}

    name = psycopg.conninfo.conninfo_to_dict(fresh_url)["dbname"]
    admin_url = f"{fresh_url.rpartition('/')[0]}/postgres"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        runs = only_user.get_runs()
        kept = backends()
        for _ in range(20):
            only_user.get_runs()
        # A new one would have a number of its own.
        assert backends()
        assert backends() <= kept
        # It waits until they are gone.
        admin.execute("select pg_terminate_backend(pid, 20000) from pg_stat_activity where datname = %s", [name])
        assert only_user.get_runs() == runs
        assert not backends() & kept


def test_an_instance_that_is_opened_again_does_not_log_in_again(only_user: dg.DagsterInstance, fresh_url: str) -> None:
    """The code server opens one at each tick of a sensor."""

    def logins() -> int:
        with psycopg.connect(fresh_url) as conn:
            row = conn.execute("select sessions from pg_stat_database where datname = current_database()").fetchone()
        assert row
        return int(row[0])

    def look() -> None:
        with dg.DagsterInstance.from_ref(only_user.get_ref()) as again:
            again.get_runs(limit=1)
            again.get_dynamic_partitions("connections")
            again.get_ticks("none", "none", limit=1)

    look()
    before = logins()
    for _ in range(10):
        look()
    # Our own looks at the number are logins, too.
    assert logins() - before <= 2
