"""`opt_fields` as Asana reads it: a replacement for the default, never an addition."""

from typing import Any

import pytest

from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World
from perfcopilot_goals.sandbox.records import parse, select
from perfcopilot_goals_tests.sandbox.asking import ask

RECORD = {
    "gid": "1",
    "resource_type": "goal",
    "name": "Grow",
    "owner": {"gid": "2", "resource_type": "user", "name": "Ada", "email": "ada@example.com"},
    "team": None,
    "followers": [{"gid": "3", "resource_type": "user", "name": "Bo"}, {"gid": "4"}],
}


@pytest.mark.parametrize(
    ("opt_fields", "expected"),
    [
        ("name", {"gid": "1", "name": "Grow"}),
        ("gid", {"gid": "1"}),
        ("owner", {"gid": "1", "owner": {"gid": "2", "resource_type": "user"}}),
        ("owner.name", {"gid": "1", "owner": {"gid": "2", "name": "Ada"}}),
        ("owner,owner.name", {"gid": "1", "owner": {"gid": "2", "name": "Ada"}}),
        ("owner.name,owner.email", {"gid": "1", "owner": {"gid": "2", "name": "Ada", "email": "ada@example.com"}}),
        ("name, owner.name", {"gid": "1", "name": "Grow", "owner": {"gid": "2", "name": "Ada"}}),
        ("team.name", {"gid": "1", "team": None}),
        ("name.length,permalink_url,owner.age", {"gid": "1", "owner": {"gid": "2"}}),
        ("followers", {"gid": "1", "followers": [{"gid": "3", "resource_type": "user"}, {"gid": "4"}]}),
        ("followers.name", {"gid": "1", "followers": [{"gid": "3", "name": "Bo"}, {"gid": "4"}]}),
    ],
)  # fmt: skip
def test_a_selection_gives_exactly_what_it_names(opt_fields: str, expected: dict[str, Any]) -> None:
    assert select(RECORD, parse(opt_fields)) == expected


@pytest.fixture
def one_goal() -> World:
    world = World("77", "Small", {"1": Person("1", "Ada Thimble", "ada@example.com")})
    world.add(Goal("101", "Grow", owner_gid="1", status_type="at_risk", status="yellow"))
    world.add(Goal("102", "Nobody's"))
    return world


def test_the_compact_goal_has_an_owner_but_no_status(one_goal: World) -> None:
    with Sandbox(one_goal) as asana:
        goal, unowned = ask(asana, "/goals", workspace="77").json()["data"]
    owner = {"gid": "1", "resource_type": "user", "name": "Ada Thimble"}
    assert goal == {"gid": "101", "resource_type": "goal", "name": "Grow", "owner": owner}
    assert unowned["owner"] is None


def test_the_status_word_comes_only_if_its_path_is_requested(one_goal: World) -> None:
    with Sandbox(one_goal) as asana:
        full = ask(asana, "/goals/101").json()["data"]
        asked = ask(asana, "/goals", workspace="77", opt_fields="status,current_status_update.status_type").json()
    assert full["status"] == "yellow"
    assert set(full["current_status_update"]) == {"gid", "resource_type", "resource_subtype", "title"}
    first, second = asked["data"]
    assert first["current_status_update"] == {"gid": first["current_status_update"]["gid"], "status_type": "at_risk"}
    assert second == {"gid": "102", "status": None, "current_status_update": None}


def test_a_subgoal_is_expanded_through_its_relationship(one_goal: World) -> None:
    one_goal.add(Goal("103", "Key result", owner_gid="1", due_on="2026-06-30"), "101")
    with Sandbox(one_goal) as asana:
        ends = ("supporting_resource", "supported_goal")
        path = ",".join(f"{end}.{name}" for end in ends for name in ("name", "owner.name", "due_on"))
        (row,) = ask(asana, "/goal_relationships", supported_goal="101", opt_fields=path).json()["data"]
    owner = {"gid": "1", "name": "Ada Thimble"}
    assert row["supporting_resource"] == {"gid": "103", "name": "Key result", "owner": owner, "due_on": "2026-06-30"}
    assert row["supported_goal"] == {"gid": "101", "name": "Grow", "owner": owner, "due_on": None}
    assert row["gid"] not in one_goal.goals
