"""Asana's own Python package can read the sandbox: a second opinion on the stand-in."""

from collections.abc import Iterator
from typing import Any

import pytest

from perfcopilot_goals.sandbox import Sandbox, World

asana_package: Any = pytest.importorskip("asana")


@pytest.fixture
def client(company_asana: Sandbox) -> Iterator[Any]:
    configuration = asana_package.Configuration()
    configuration.host = company_asana.base_url
    configuration.access_token = company_asana.token
    configuration.proxy = None
    client = asana_package.ApiClient(configuration)
    yield client
    client.rest_client.pool_manager.clear()
    client.pool.close()
    client.pool.join()


def test_it_lists_every_goal_of_the_company(client: Any, company: World) -> None:
    options = {"workspace": company.workspace_gid, "limit": 100, "opt_fields": "name,owner.name,html_notes"}
    listed = list(asana_package.GoalsApi(client).get_goals(options))
    assert [goal["gid"] for goal in listed] == list(company.goals)
    assert [goal["name"] for goal in listed] == [goal.name for goal in company.goals.values()]
    assert [goal["html_notes"] for goal in listed] == [goal.html_notes for goal in company.goals.values()]


def test_it_lists_the_relationships_of_the_crowded_goal(client: Any, company: World) -> None:
    crowded = max(company.subgoals, key=lambda gid: len(company.subgoals[gid]))
    options = {"resource_subtype": "subgoal", "limit": 100}
    listed = list(asana_package.GoalRelationshipsApi(client).get_goal_relationships(crowded, options))
    assert [row["supporting_resource"]["gid"] for row in listed] == company.subgoals[crowded]


def test_it_reads_one_goal_and_who_it_is(client: Any, company: World) -> None:
    goal = next(iter(company.goals.values()))
    assert asana_package.GoalsApi(client).get_goal(goal.gid, {})["name"] == goal.name
    assert asana_package.UsersApi(client).get_user("me", {})["workspaces"][0]["gid"] == company.workspace_gid


def test_it_raises_the_sandboxs_refusals(client: Any) -> None:
    with pytest.raises(asana_package.rest.ApiException) as refusal:
        asana_package.GoalsApi(client).get_goal("999", {})
    assert refusal.value.status == 404
