"""Syncs die, are paused, or meet another sync. The storms of `storm` do the same a thousand times."""

import os
import signal
import time

import psycopg
import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.faults.company import NEW, OLD, ONE, TWO, become, content
from perfcopilot_goals_tests.faults.conftest import Rig
from perfcopilot_goals_tests.faults.reader import Reader, contradictions
from perfcopilot_goals_tests.faults.storm import Storm

DEATHS = 3


@pytest.fixture
def storm(rig: Rig) -> Storm:
    url = rig.begin()
    become(rig.asana.world, OLD)
    return Storm(url, rig.asana, rig.states, seed=1)


def states(url: str, name: str = ONE) -> list[str]:
    """The states of the connection's syncs, oldest first, with what ended them."""
    query = "select state, error_code from perfcopilot_goals.syncs where connection = %s order by started_at"
    with psycopg.connect(url) as conn:
        return [" ".join(filter(None, row)) for row in conn.execute(query, [name]).fetchall()]


def wait_until_asked(asana: Sandbox, so_often: int) -> None:
    end = time.monotonic() + 120
    while asana.count() < so_often:
        assert time.monotonic() < end, "the sync never asked"
        time.sleep(0.01)


@pytest.mark.fault("F1", "F2")
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=["SIGKILL", "SIGTERM", "SIGINT"]
)
def test_whenever_a_sync_dies_its_slices_are_old_or_new_and_the_next_sync_heals(storm: Storm, number: int) -> None:
    for _ in range(DEATHS):
        assert storm.kill_once(number) == []


@pytest.mark.fault("F6", "F7")
def test_a_sync_that_was_paused_while_another_finished_does_not_write_over_it(storm: Storm) -> None:
    become(storm.asana.world, NEW)
    before = storm.asana.count()
    storm.asana.latency_seconds = 0.2
    old = storm.start()
    wait_until_asked(storm.asana, before + 3)
    os.kill(old, signal.SIGSTOP)
    storm.asana.latency_seconds = 0
    with psycopg.connect(storm.url, autocommit=True) as conn:
        # After its deadline a paused sync loses the token's lock. Here the test takes it away.
        conn.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted "
            "and database = (select oid from pg_database where datname = current_database())"
        )
    become(storm.asana.world, OLD)
    assert storm.sync_whole()
    newer = content(storm.url, ONE)
    os.kill(old, signal.SIGCONT)
    assert os.waitpid(old, 0)[1] != 0
    assert content(storm.url, ONE) == newer == storm.states[OLD]
    assert contradictions(storm.url, ONE) == []
    assert sorted(states(storm.url)[-2:]) == ["complete", "failed GoalsGuardError"]


@pytest.mark.fault("F4", "F8", "F9", "B23")
def test_syncs_with_one_token_take_turns_and_each_leaves_its_slices_whole(storm: Storm) -> None:
    become(storm.asana.world, NEW)
    storm.asana.latency_seconds = 0.02
    together = [storm.start(name) for name in (ONE, ONE, TWO)]
    assert [os.waitpid(pid, 0)[1] for pid in together] == [0, 0, 0]
    assert content(storm.url, ONE) == content(storm.url, TWO) == storm.states[NEW]
    assert contradictions(storm.url, ONE) == contradictions(storm.url, TWO) == []


@pytest.mark.fault("F3")
def test_a_sync_that_waits_for_the_rate_limit_stops_at_once_on_a_signal(storm: Storm) -> None:
    from perfcopilot_goals_tests import scripted_faults as faults

    before = storm.asana.count()
    storm.asana.faults = faults.status(429, "Slow down", retry_after="600")
    pid = storm.start()
    wait_until_asked(storm.asana, before + 1)
    time.sleep(0.2)
    os.kill(pid, signal.SIGINT)
    end = time.monotonic() + 60
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        assert time.monotonic() < end, "it went on waiting"
        time.sleep(0.05)


@pytest.mark.fault("E15", "F10")
def test_a_reader_of_two_tables_finds_nothing_that_contradicts_the_sync_log(storm: Storm) -> None:
    become(storm.asana.world, NEW)
    pid = storm.start()
    reads = 0
    with Reader(storm.url) as reader:
        while os.waitpid(pid, os.WNOHANG) == (0, 0):
            assert reader.contradictions(ONE) == []
            reads += 1
    assert reads > 5
