"""A fault at every point of a sync, one after the other.

After each, every slice is the whole old one or the whole new one, and the other connection's are untouched. The error
is one of ours and reveals nothing. One more sync, without a fault, brings everything to the new state.
"""

import itertools
import os
from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.sandbox.exchange import Fault, Request, Response
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.faults.company import CANARIES, NEW, OLD, ONE, TWO, content, mixed
from perfcopilot_goals_tests.faults.conftest import Rig
from perfcopilot_goals_tests.faults.proxy import CUT, CUT_AFTER, PASS, Proxy
from perfcopilot_goals_tests.faults.reader import contradictions

# `make storm` takes every point. The usual run takes a share of them, different ones for each kind of fault.
EVERY = int(os.environ.get("PERFCOPILOT_EVERY_POINT", "20"))


def points(offset: int, step: int) -> Iterator[int]:
    """The numbers of the points: 1, 2, 3, … or a share of them."""
    return itertools.count(1 + offset % step, step)


def check_after(rig: Rig, result: dg.ExecuteInProcessResult, where: str) -> None:
    """Assert what must hold after a fault, and after the sync that follows it."""
    texts = "\n".join(str(event.event_specific_data) + str(event.message) for event in result.all_events)
    assert not [canary for canary in CANARIES if canary in texts], where
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            assert data is not None, (where, event.step_key, event.step_failure_data.error)
            assert str(data.description).startswith(("Goals", "Asana")), (where, data.description)
    assert mixed(rig.url, rig.states, ONE) == [], where
    assert mixed(rig.url, {OLD: rig.states[OLD]}, TWO) == [], where
    assert contradictions(rig.url, ONE) == [], where
    rig.asana.faults = None
    assert rig.syncs().run(checked=False).success, where
    assert content(rig.url, ONE) == rig.states[NEW], where


@pytest.mark.fault("A16", "B2", "F1")
@pytest.mark.parametrize(
    "fault", [faults.status(503, "Busy"), faults.hang_up(), faults.html(200)], ids=["503", "cut", "html"]
)
def test_whichever_request_fails_for_good_the_slices_are_old_or_new(rig: Rig, fault: Fault) -> None:
    for number in points(0, EVERY):
        rig.begin()
        targets: list[str] = []

        def fail(request: Request, response: Response, at: int = number, seen: list[str] = targets) -> object:
            seen += [] if request.target in seen else [request.target]
            return fault(request, response) if seen.index(request.target) == at - 1 else response

        rig.asana.faults = fail  # type: ignore[assignment]
        let_users_be_looked_at(rig)
        result = rig.syncs().run()
        if result.success:
            if len(targets) >= number and targets[number - 1].startswith("/users?"):
                # A sync can do without this list only.
                assert content(rig.url, ONE) == rig.states[NEW]
                continue
            assert len(targets) < number, "a request failed for good and the sync said nothing"
            return
        check_after(rig, result, f"request {number}")


def let_users_be_looked_at(rig: Rig) -> None:
    """Make the users' check due, as in the first sync of a day."""
    with psycopg.connect(rig.url) as admin:
        admin.execute("update perfcopilot_goals.connections set users_checked_at = null")


@pytest.mark.fault("E2", "E3", "E4", "F1")
@pytest.mark.parametrize("decision", [CUT, CUT_AFTER])
@pytest.mark.parametrize("for_good", [True, False], ids=["for-good", "once"])
def test_whichever_statement_loses_its_line_the_slices_are_old_or_new(rig: Rig, decision: str, for_good: bool) -> None:
    port = int(str(conninfo_to_dict(rig.begin())["port"]))
    with Proxy(port) as proxy:
        for number in points(3 if decision == CUT else 5, EVERY * (2 if for_good else 1)):
            rig.begin()

            def decide(count: int, message: bytes, at: int = number) -> str:
                return decision if count == at or (for_good and count > at) else PASS

            proxy.reset(decide)
            result = rig.syncs(proxy.url(rig.url)).run()
            if proxy.cuts == 0:
                assert result.success
                return
            check_after(rig, result, f"statement {number} {decision}")
