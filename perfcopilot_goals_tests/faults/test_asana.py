"""Asana breaks during a sync: what the tables hold then, and what the error says if they hold nothing new."""

import collections
import random
import threading

import dagster as dg
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.asana.client import GRACE_SECONDS
from perfcopilot_goals.asana.pacing import ATTEMPTS
from perfcopilot_goals.sandbox import Fault, Raw, Request, Response, Sandbox, generated_world
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.core.examples import one_in
from perfcopilot_goals_tests.faults.company import CANARIES, NEW, OLD, ONE, TOKEN, TWO, Syncs, content, mixed
from perfcopilot_goals_tests.faults.conftest import Rig
from perfcopilot_goals_tests.faults.reader import contradictions

FAULTY = {
    "429": faults.status(429, "Slow down"),
    "429 for 7 s": faults.status(429, "Slow down", retry_after="7"),
    "500": faults.status(500),
    "502 as a page": faults.html(502),
    "503": faults.status(503),
    "reset": faults.reset(),
    "cut body": faults.cut_body(),
    "cut JSON": lambda _, response: Response(200, response.body[:-20], response.headers),
}


class Weather:
    """This share of responses is faulty. Which one and how depends only on the request and how often it came before."""

    def __init__(self, share: float, seed: int) -> None:
        self.share, self.seed = share, seed
        self.seen: collections.Counter[str] = collections.Counter()
        self.fired: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def __call__(self, request: Request, response: Response) -> Response | Raw:
        # Without the offset, which differs each time.
        asked = f"{request.path} {request.query.get('supported_goal')}"
        with self._lock:
            self.seen[asked] += 1
            dice = random.Random(f"{self.seed} {asked} {self.seen[asked]}")
            if dice.random() >= self.share:
                return response
            kind = dice.choice(list(FAULTY))
            self.fired[kind] += 1
        fault: Fault = FAULTY[kind]
        return fault(request, response)


@pytest.mark.fault("A1", "A2", "A14", "A16", "A30", "F8")
def test_a_tenth_of_responses_may_be_faulty_and_two_thousand_goals_are_stored_exactly(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", database_url)
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    world = generated_world(2_000)
    with Sandbox(world, token=TOKEN) as asana, dg.DagsterInstance.ephemeral() as instance:
        syncs = Syncs(Database(database_url), instance, FakeClock())
        syncs.connect(asana.base_url, world)
        assert syncs.run(TWO, checked=False).success
        needed = asana.count()
        # One seed in six makes some list faulty four times in a row, and the sync rightly gives up.
        asana.faults = weather = Weather(0.1, seed=2)
        assert syncs.run(ONE).success
        retried = asana.count() - 2 * needed
    assert weather.fired.keys() == FAULTY.keys()
    assert retried == weather.fired.total() >= 0.08 * needed
    landed = content(database_url, ONE)
    assert landed == content(database_url, TWO)
    assert {table: len(rows) for table, rows in landed.items()} == {
        "raw_workspace_goals": 2_000,
        "owned_goals": 2_000,
        "subgoals": 1_500,
        "mapped_goal_rows": 3_500,
        "prompt_blocks": 50,
    }
    assert contradictions(database_url, ONE) == []


@pytest.mark.hypothesis
@pytest.mark.fault("A16", "F1")
def test_any_weather_leaves_old_or_new_slices_and_one_calm_sync_brings_the_new(rig: Rig) -> None:
    """Runs a hundredth of the usual examples: each is two syncs and a copy of the database. See `test_every_point`."""

    @one_in(100)
    @given(share=st.sampled_from([0.05, 0.2, 0.5, 0.9]), seed=st.integers(0, 2**32))
    def sync(share: float, seed: int) -> None:
        rig.begin()
        rig.asana.faults = Weather(share, seed)
        result = rig.syncs().run()
        assert mixed(rig.url, rig.states, ONE) == []
        assert contradictions(rig.url, ONE) == []
        assert not result.success or content(rig.url, ONE) == rig.states[NEW]
        rig.asana.faults = None
        assert rig.syncs().run(checked=False).success
        assert content(rig.url, ONE) == rig.states[NEW]
        assert mixed(rig.url, {OLD: rig.states[OLD]}, TWO) == []

    sync()


@pytest.mark.fault("A28")
def test_a_host_name_that_does_not_resolve_is_reported_in_time(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.begin()
    monkeypatch.setenv("PERFCOPILOT_ASANA_HOSTS", "asana.invalid")
    with Database(rig.url).connect("moving") as conn:
        set_connection(conn, ONE, {"base_url": "https://asana.invalid/api/1.0"})
    syncs = rig.syncs()
    before = rig.asana.count()
    result = syncs.run()
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert str(data.description).startswith(f"AsanaUnavailableError: connection {ONE}: GET /goals: ")
    assert f"a host name that does not resolve, after {ATTEMPTS} attempts" in str(data.description)
    texts = "\n".join(str(event.event_specific_data) + str(event.message) for event in result.all_events)
    assert not [canary for canary in CANARIES if canary in texts]
    (sync,) = _sync_log(rig.url)
    assert sync == ("failed", "AsanaUnavailableError", ATTEMPTS)
    assert isinstance(syncs.clock, FakeClock)
    assert syncs.clock.now - 1_000 <= GRACE_SECONDS
    assert rig.asana.count() == before
    assert mixed(rig.url, {OLD: rig.states[OLD]}, ONE) == []
    assert rig.states[OLD] != rig.states[NEW]


def _sync_log(url: str) -> list[tuple[str, str, int]]:
    with psycopg.connect(Database(url).url) as conn:
        return conn.execute(
            "select state, error_code, requests from perfcopilot_goals.syncs where connection = %s "
            "order by started_at desc limit 1",
            [ONE],
        ).fetchall()
