"""Pages, their tokens, and the refusal of a bad or late token."""

from typing import Any

import pytest

from perfcopilot_goals.sandbox import Goal, Sandbox, World, generated_world
from perfcopilot_goals_tests.sandbox.asking import Clock, ask, message_of, pages, rows


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 100])
def test_the_pages_together_are_the_list_whatever_their_size(world: World, limit: int) -> None:
    with Sandbox(world) as asana:
        bodies = list(pages(asana, "/goals", workspace="77", limit=limit))
    assert [row["gid"] for body in bodies for row in body["data"]] == list(world.goals)
    assert len(bodies) == -(-5 // limit)
    assert bodies[-1]["next_page"] is None


def test_next_page_comes_only_if_a_limit_was_sent(world: World) -> None:
    with Sandbox(world) as asana:
        assert "next_page" not in ask(asana, "/goals", workspace="77").json()
        assert ask(asana, "/goals", workspace="77", limit=5).json()["next_page"] is None


def test_next_page_leads_on_by_its_uri_and_by_its_path(world: World) -> None:
    with Sandbox(world) as asana:
        following = ask(asana, "/goals", workspace="77", limit=2).json()["next_page"]
        assert set(following) == {"offset", "path", "uri"}
        assert following["uri"] == asana.base_url + following["path"]
        assert [row["gid"] for row in ask(asana, following["path"]).json()["data"]] == ["103", "104"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "abc", "", "1.5", "٣"])
def test_a_limit_that_is_not_1_to_100_is_refused(world: World, limit: str) -> None:
    with Sandbox(world) as asana:
        response = ask(asana, "/goals", workspace="77", limit=limit)
    assert response.status_code == 400
    assert message_of(response).startswith("limit: ")


def test_without_a_limit_a_thousand_come_and_one_more_is_too_large() -> None:
    world = generated_world(goals=1000)
    with Sandbox(world) as asana:
        assert len(ask(asana, "/goals", workspace=world.workspace_gid).json()["data"]) == 1000
        world.add(Goal("5", "One more"))
        response = ask(asana, "/goals", workspace=world.workspace_gid)
    assert response.status_code == 400
    assert message_of(response) == (
        "The result is too large. You should use pagination (may require specifying a workspace)!"
    )


def refused_offset(asana: Sandbox, **query: Any) -> str:
    response = ask(asana, "/goals", **query)
    assert response.status_code == 400
    return message_of(response)


@pytest.mark.parametrize("offset", ["", "0", "100", "abc", "a.b.c", "é", "eyJ0eXAiOiJKV1QifQ.e30.x"])
def test_a_token_that_was_never_given_out_is_invalid(world: World, offset: str) -> None:
    with Sandbox(world) as asana:
        message = refused_offset(asana, workspace="77", limit=2, offset=offset)
    assert message == "offset: Your pagination token is invalid."


def test_a_token_belongs_to_its_query_and_its_sandbox(world: World) -> None:
    with Sandbox(world) as asana, Sandbox(world) as other:
        offset = ask(asana, "/goals", workspace="77", limit=2).json()["next_page"]["offset"]
        invalid = "offset: Your pagination token is invalid."
        assert refused_offset(asana, workspace="77", limit=3, offset=offset) == invalid
        assert refused_offset(asana, workspace="77", limit=2, opt_fields="name", offset=offset) == invalid
        assert refused_offset(other, workspace="77", limit=2, offset=offset) == invalid
        assert ask(asana, "/goals", workspace="77", limit=2, offset=offset).status_code == 200


def test_a_token_lasts_900_seconds_and_no_longer(world: World) -> None:
    clock = Clock()
    with Sandbox(world, clock=clock) as asana:
        offset = ask(asana, "/goals", workspace="77", limit=2).json()["next_page"]["offset"]
        clock.now += 900
        assert ask(asana, "/goals", workspace="77", limit=2, offset=offset).status_code == 200
        clock.now += 1
        message = refused_offset(asana, workspace="77", limit=2, offset=offset)
    assert message == "offset: Your pagination token has expired."


@pytest.mark.parametrize("deleted", ["101", "102", "105"])
def test_a_goal_deleted_between_two_pages_takes_no_neighbour_with_it(world: World, deleted: str) -> None:
    with Sandbox(world) as asana:
        offset = ask(asana, "/goals", workspace="77", limit=2).json()["next_page"]["offset"]
        world.delete(deleted)
        rest = ask(asana, "/goals", workspace="77", limit=2, offset=offset).json()["data"]
    assert [row["gid"] for row in rest] == [gid for gid in ("103", "104") if gid != deleted]


def test_users_and_workspaces_and_relationships_page_as_goals_do(world: World) -> None:
    with Sandbox(world, generated_world(goals=0, people=3)) as asana:
        assert len(list(pages(asana, "/workspaces", limit=1))) == 2
        assert len(list(pages(asana, "/users", workspace="1200000000000002", limit=1))) == 3
        assert len(list(pages(asana, "/goal_relationships", supported_goal="101", limit=1))) == 2
        assert len(rows(asana, "/users", workspace="1200000000000002", limit=2)) == 3
