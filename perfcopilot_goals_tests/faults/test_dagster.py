"""Dagster's own storage breaks during a sync, while the goals' database works."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import sqlalchemy
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.defs.partitions import register_partitions
from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.faults.company import CANARIES, NEW, OLD, ONE, TWO, Syncs, content, mixed
from perfcopilot_goals_tests.faults.conftest import Rig
from perfcopilot_goals_tests.faults.proxy import CUT, PASS, Proxy
from perfcopilot_goals_tests.faults.reader import contradictions


@pytest.fixture
def proxy(server: Settings) -> Iterator[Proxy]:
    """The proxy between Dagster and its Postgres."""
    with Proxy(int(str(conninfo_to_dict(local_database_url(server))["port"]))) as proxy:
        yield proxy


@pytest.fixture
def instance(server: Settings, proxy: Proxy, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance with its runs and events in a separate database."""
    admin = local_database_url(server)
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute("create database dagster_alone")
        url = proxy.url(f"{admin.rpartition('/')[0]}/dagster_alone")
        (tmp_path / "dagster.yaml").write_text(
            f"storage: {{postgres: {{postgres_url: '{url}'}}}}\ntelemetry: {{enabled: false}}\n"
        )
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            yield instance
        conn.execute("drop database dagster_alone with (force)")


@pytest.mark.fault("G13", "H3")
def test_an_event_log_that_goes_away_costs_no_row_and_the_next_sync_heals(
    rig: Rig, proxy: Proxy, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    rig.begin()
    register_partitions(instance, [ONE, TWO])
    syncs = Syncs(Database(rig.url), instance, FakeClock())
    with psycopg.connect(rig.url, autocommit=True) as watcher:
        for table in ("raw_workspace_goals", "mapped_goal_rows"):
            # The rows are committed, and Dagster does not know it yet.
            proxy.reset(lambda *_, last=table: CUT if _has_written(watcher, last) else PASS)
            with pytest.raises(sqlalchemy.exc.OperationalError):
                syncs.run()
            assert proxy.cuts
            assert mixed(rig.url, rig.states, ONE) == []
            assert contradictions(rig.url, ONE) == []
    written = content(rig.url, ONE)
    assert written["mapped_goal_rows"] == rig.states[NEW]["mapped_goal_rows"]
    assert written["prompt_blocks"] == rig.states[OLD]["prompt_blocks"]
    assert mixed(rig.url, {OLD: rig.states[OLD]}, TWO) == []
    # Dagster prints the statement that it could not send, with the event in it.
    printed = "".join(capfd.readouterr())
    assert "INSERT INTO event_logs" in printed
    password = str(conninfo_to_dict(rig.url)["password"])
    assert not [canary for canary in (*CANARIES, password) if canary in printed]
    proxy.reset(lambda *_: PASS)
    assert syncs.run(checked=False).success
    assert content(rig.url, ONE) == rig.states[NEW]
    with psycopg.connect(rig.url) as conn:
        states = conn.execute(
            "select state, error_code from perfcopilot_goals.syncs where connection = %s order by started_at", [ONE]
        ).fetchall()
    assert states[-3:] == [("failed", "Interrupted"), ("failed", "Interrupted"), ("complete", None)]


def _has_written(watcher: psycopg.Connection, table: str) -> bool:
    query = "select 1 from perfcopilot_goals.syncs where state = 'running' and counts -> 'tables' ? %s"
    return watcher.execute(query, [table]).fetchone() is not None
