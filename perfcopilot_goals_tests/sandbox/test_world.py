"""Worlds are plain data that a test may change, and the roster is what the command line imports."""

import csv
import io

from perfcopilot_goals.sandbox import Sandbox, World, generated_world, roster_csv, sample_company
from perfcopilot_goals_tests.sandbox.asking import ask, rows


def test_a_changed_world_shows_in_the_next_response(world: World) -> None:
    with Sandbox(world) as asana:
        world.rename("101", "Renamed")
        world.reown("102", None)
        world.delete("103")
        assert ask(asana, "/goals/101").json()["data"]["name"] == "Renamed"
        assert ask(asana, "/goals/102").json()["data"]["owner"] is None
        assert ask(asana, "/goals/103").status_code == 404
        assert len(rows(asana, "/goal_relationships", supported_goal="101", limit=10)) == 1


def test_a_deleted_parent_leaves_its_subgoals_in_the_list(world: World) -> None:
    world.delete("101")
    assert list(world.goals) == ["102", "103", "104", "105"]
    assert world.subgoals == {}


def test_the_roster_reads_back_as_it_was() -> None:
    world = sample_company()
    lines = list(csv.DictReader(io.StringIO(roster_csv(world))))
    assert list(lines[0]) == ["employee_id", "full_name", "email", "asana_user_gid"]
    assert [line["employee_id"] for line in lines] == [employee.employee_id for employee in world.roster]
    assert [line["asana_user_gid"] or None for line in lines] == [person.asana_user_gid for person in world.roster]


def test_a_generated_world_has_the_size_asked_for() -> None:
    world = generated_world(goals=9, people=2)
    assert len(world.goals) == 9
    assert [len(children) for children in world.subgoals.values()] == [2, 2, 2]
    assert [len(world.owned_by(gid)) for gid in world.people] == [5, 4]
    assert {child for children in world.subgoals.values() for child in children} < set(world.goals)


def test_a_generated_world_is_the_same_each_time() -> None:
    assert generated_world(goals=50) == generated_world(goals=50)


def test_a_generated_world_has_as_many_subgoals_as_asked_for_spread_evenly() -> None:
    world = generated_world(goals=10, people=2, subgoals=7)
    assert len(world.goals) == 10
    assert sorted(map(len, world.subgoals.values())) == [2, 2, 3]
    assert [len(children) for children in generated_world(goals=11, subgoals=10).subgoals.values()] == [10]
