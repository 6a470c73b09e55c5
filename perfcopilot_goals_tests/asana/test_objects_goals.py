"""Goals asked for one by one: each once, told if it is gone or hidden, and nothing more after a refused token."""

import pytest

from perfcopilot_goals.asana.objects import fetch_single_goals
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, AsanaUnavailableError, GoalsError
from perfcopilot_goals.sandbox import Fault
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, GOAL_NAME, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import flat_world, serve

FIELDS = ("name", "owner", "current_status_update.status_type")


def test_each_goal_is_asked_for_once_with_these_fields(connect: Connect) -> None:
    world = flat_world(40)
    with serve(world) as asana:
        found = fetch_single_goals(connect(asana), list(world.goals), FIELDS)
        assert sorted(call.path for call in asana.requests) == sorted(f"/goals/{gid}" for gid in world.goals)
        assert {call.query["opt_fields"] for call in asana.requests} == {",".join(FIELDS)}
    assert list(found) == list(world.goals)
    first = found["1001"]
    assert isinstance(first, dict)
    assert (first["name"], first["current_status_update"]["status_type"]) == (f"{GOAL_NAME} 1", "at_risk")


def test_a_goal_that_is_gone_or_hidden_is_told_as_such(connect: Connect) -> None:
    world = flat_world(3)
    world.delete("1001")
    world.hidden.add("1002")
    with serve(world) as asana:
        found = fetch_single_goals(connect(asana), ["1001", "1002", "1003"], FIELDS)
    assert (found["1001"], found["1002"]) == (404, 403)
    assert isinstance(found["1003"], dict)


@pytest.mark.parametrize(
    ("fault", "kind", "word"),
    [
        (faults.status(401, BODY), AsanaAccessError, "answered 401"),
        (faults.status(402, BODY), AsanaAccessError, "answered 402"),
        (faults.status(400, BODY), AsanaContractError, "answered 400"),
        (faults.status(404, "No matching route for request"), AsanaContractError, "answered 404"),
        (faults.edit(lambda _: {"data": [BODY]}), AsanaContractError, "`data` is missing or is another goal"),
        (faults.edit(lambda _: {"data": {"gid": "7"}}), AsanaContractError, "`data` is missing or is another goal"),
        (faults.edit(lambda _: [BODY]), AsanaContractError, "`data` is missing or is another goal"),
        (faults.status(503, BODY), AsanaUnavailableError, "status 503"),
    ],
    ids=["401", "402", "400", "no route", "a list", "another goal", "no object", "503"],
)
def test_anything_else_ends_with_an_error_that_quotes_nothing(
    connect: Connect, fault: Fault, kind: type[GoalsError], word: str
) -> None:
    world = flat_world(200)
    with serve(world, faults=fault) as asana:
        with raises(kind, word, "GET /goals/"):
            fetch_single_goals(connect(asana), list(world.goals), FIELDS)
        assert asana.count() < 100, "the others are not asked any more"
