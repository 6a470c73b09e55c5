"""Which routes there are, what they return, and what each refusal says."""

import json
import urllib.error
import urllib.request

import pytest

from perfcopilot_goals.sandbox import Person, Sandbox, World
from perfcopilot_goals.sandbox.api import Routes
from perfcopilot_goals_tests.sandbox.asking import ask, message_of, rows

NO_ROUTE = "No matching route for request"


def test_me_is_the_first_person_with_every_workspace(world: World) -> None:
    with Sandbox(world, World("78", "Other", {})) as asana:
        me = ask(asana, "/users/me").json()["data"]
        assert (me["gid"], me["email"]) == ("1", "ada@example.com")
        assert [workspace["gid"] for workspace in me["workspaces"]] == ["77", "78"]
        assert [row["gid"] for row in rows(asana, "/workspaces", limit=10)] == ["77", "78"]


def test_users_come_in_the_order_of_their_gids_and_without_an_address_unless_asked(world: World) -> None:
    world.people |= {"3": Person("3", "Guest"), "2": Person("2", "Bo", "bo@example.com")}
    with Sandbox(world) as asana:
        assert rows(asana, "/users", workspace="77")[1] == {"gid": "2", "resource_type": "user", "name": "Bo"}
        asked = rows(asana, "/users", workspace="77", opt_fields="email")
    assert asked == [{"gid": "1", "email": "ada@example.com"}, {"gid": "2", "email": "bo@example.com"}, {"gid": "3"}]


@pytest.mark.parametrize(
    ("routes", "relationships", "subgoals"),
    [("goal_relationships", 200, 404), ("subgoals", 404, 200), ("both", 200, 200)],
)
def test_the_ways_to_subgoals_are_a_setting(world: World, routes: Routes, relationships: int, subgoals: int) -> None:
    with Sandbox(world, routes=routes) as asana:
        by_relationship = ask(asana, "/goal_relationships", supported_goal="101", resource_subtype="subgoal", limit=9)
        by_goal = ask(asana, "/goals/101/subgoals")
    assert (by_relationship.status_code, by_goal.status_code) == (relationships, subgoals)
    if relationships == 200:
        linked = [row["supporting_resource"]["gid"] for row in by_relationship.json()["data"]]
        assert linked == ["102", "103"]
    if subgoals == 200:
        assert [row["gid"] for row in by_goal.json()["data"]] == ["102", "103"]
    for response in (by_relationship, by_goal):
        assert response.status_code == 200 or message_of(response) == NO_ROUTE


def test_a_route_can_vanish_while_the_sandbox_runs(world: World) -> None:
    with Sandbox(world, routes="both") as asana:
        assert ask(asana, "/goals/101/subgoals").status_code == 200
        asana.api.routes = "goal_relationships"
        assert ask(asana, "/goals/101/subgoals").status_code == 404


@pytest.mark.parametrize(("subgoals_paged", "sizes"), [(False, (2, False)), (True, (1, True))])
def test_the_old_route_pages_only_if_it_is_set_to(world: World, subgoals_paged: bool, sizes: tuple[int, bool]) -> None:
    with Sandbox(world, routes="subgoals", subgoals_paged=subgoals_paged) as asana:
        limited = ask(asana, "/goals/101/subgoals", limit=1).json()
        assert (len(limited["data"]), "next_page" in limited) == sizes
        assert "next_page" not in ask(asana, "/goals/101/subgoals").json()


def test_supporting_work_is_not_subgoals(world: World) -> None:
    with Sandbox(world) as asana:
        assert rows(asana, "/goal_relationships", supported_goal="101", resource_subtype="supporting_work") == []
        response = ask(asana, "/goal_relationships", supported_goal="101", resource_subtype="subgoals")
        assert response.status_code == 400


def test_hidden_goals_are_missing_from_lists_and_refused_by_name(world: World) -> None:
    world.hidden = {"102", "104"}
    with Sandbox(world) as asana:
        assert [row["gid"] for row in rows(asana, "/goals", workspace="77")] == ["101", "103", "105"]
        assert len(rows(asana, "/goal_relationships", supported_goal="101")) == 1
        assert ask(asana, "/goals/104").status_code == 403
        assert ask(asana, "/goal_relationships", supported_goal="104").status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/goals", 400, "workspace: Missing input"),
        ("/goals?workspace=", 400, "workspace: Missing input"),
        ("/goals?workspace=abc", 400, "workspace: Not a recognized ID: abc"),
        ("/goals?workspace=999", 404, "workspace: Unknown object: 999"),
        ("/users?workspace=999", 404, "workspace: Unknown object: 999"),
        ("/workspaces/abc", 400, "workspace: Not a recognized ID: abc"),
        ("/workspaces/999", 404, "workspace: Unknown object: 999"),
        ("/goals/999", 404, "goal: Unknown object: 999"),
        ("/goals/abc", 404, "goal: Not a recognized ID: abc"),
        ("/goal_relationships", 400, "supported_goal: Missing input"),
        ("/goal_relationships?supported_goal=999", 404, "supported_goal: Unknown object: 999"),
        ("/goal_relationships?supported_goal=abc", 400, "supported_goal: Not a recognized ID: abc"),
        ("/tasks", 404, NO_ROUTE),
        ("/goals/", 404, "goal: Not a recognized ID: "),
        ("/goals/101/subgoals", 404, NO_ROUTE),
    ],
)
def test_each_refusal_has_its_status_and_message(world: World, path: str, status: int, message: str) -> None:
    with Sandbox(world) as asana:
        response = ask(asana, path)
    assert (response.status_code, message_of(response)) == (status, message)
    assert response.json()["errors"][0]["help"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
def test_a_wrong_method_is_a_missing_route(world: World, method: str) -> None:
    with Sandbox(world) as asana:
        assert ask(asana, "/goals/101", method=method).status_code == 404


def test_nothing_outside_the_api_looks_like_it(world: World) -> None:
    with Sandbox(world) as asana:
        request = urllib.request.Request(
            f"http://127.0.0.1:{asana.port}/users/me", headers={"Authorization": f"Bearer {asana.token}"}
        )
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request, timeout=5)
        refusal.value.close()
        assert refusal.value.code == 404
        assert asana.requests[0].path == "/../users/me"


@pytest.mark.parametrize("token", ["wrong", "sandbox-token ", "SANDBOX-TOKEN"])
def test_another_token_is_not_authorized_anywhere(world: World, token: str) -> None:
    with Sandbox(world) as asana:
        for path in ("/users/me", "/goals?workspace=77", "/nowhere"):
            response = ask(asana, path, token=token)
            assert (response.status_code, message_of(response)) == (401, "Not Authorized")


def test_stats_are_for_other_processes_need_no_token_and_do_not_count(world: World) -> None:
    with Sandbox(world) as asana:
        ask(asana, "/goals/101")
        ask(asana, "/goals", workspace="abc")
        with urllib.request.urlopen(f"http://127.0.0.1:{asana.port}/sandbox/stats", timeout=5) as response:
            stats = json.load(response)
        assert asana.count() == 2
    assert stats["requests"] == 2
    assert stats["by_route"] == {"/goals/{gid}": 1, "/goals": 1}
    assert stats["by_status"] == {"200": 1, "400": 1}
    assert (stats["rejected"], stats["max_in_flight"]) == (0, 1)
