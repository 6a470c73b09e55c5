"""The fields that we ask Asana for, compared with its published description: whole objects, and each exception named.

A stand-in made of the description, or a stricter Asana, refuses a path that it does not list.
"""

from collections import defaultdict
from contextlib import closing
from typing import Any

import pytest

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_users
from perfcopilot_goals.asana.objects import fetch_identity, fetch_workspace
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running
from perfcopilot_goals_tests.published_description import load_description, published_fields

# What is asked for although the description does not list it, and why.
UNLISTED = {
    "/goals": {
        # The product's status. The description lists of each nested object only what its compact form has, and that of
        # a status update has no word; integrations ask for this path of goals, projects and portfolios alike.
        "current_status_update.status_type",
    },
    "/goal_relationships": {
        # The description has what supports a goal as a project in compact form. It is a goal here, and these are the
        # key result's columns; asking each sub-goal for them would cost a request each.
        "supporting_resource.owner",
        "supporting_resource.due_on",
        "supporting_resource.start_on",
        "supporting_resource.current_status_update.status_type",
    },
    "/users": set[str](),
    "/users/{user_gid}": set[str](),
}
# The older route is not in the description any more; it lists goals, as /goals does.
LIKE = {"/users/me": "/users/{user_gid}", "/goals/101/subgoals": "/goals"}


@pytest.fixture
def asked(running: Running) -> dict[str, set[str]]:
    """By path of the description, what a sync and the commands that ask Asana name in `opt_fields`.

    A first sync tries the older route to sub-goals before the other.
    """
    assert running.sync().success
    with closing(AsanaClient(running.asana.base_url, TOKEN)) as client:
        fetch_users(client, running.world.workspace_gid)
        fetch_identity(client)
        fetch_workspace(client, running.world.workspace_gid)
    found: dict[str, set[str]] = defaultdict(set)
    for call in running.asana.requests:
        path = "/goals/101/subgoals" if call.path.endswith("/subgoals") else call.path
        if opt_fields := call.query.get("opt_fields"):
            found[LIKE.get(path, path)] |= set(opt_fields.split(","))
    return found


@pytest.mark.fault("C32")
def test_every_field_that_is_asked_for_is_published_or_an_exception_with_its_reason(
    asked: dict[str, set[str]],
) -> None:
    description: Any = load_description()
    assert asked.keys() == UNLISTED.keys()
    for path, fields in asked.items():
        assert fields - published_fields(description, path) == UNLISTED[path], path


def test_owner_and_workspace_are_asked_for_as_whole_objects(asked: dict[str, set[str]]) -> None:
    assert {"owner", "workspace"} < asked["/goals"]
    assert "supporting_resource.owner" in asked["/goal_relationships"]
    nested = {field for fields in asked.values() for field in fields if field.endswith(".gid")}
    assert nested == set()


def test_a_whole_object_comes_with_its_gid_and_type_and_nothing_else(running: Running) -> None:
    """Its name would be text that nobody needs."""
    with closing(AsanaClient(running.asana.base_url, TOKEN)) as client:
        response = client.get("/goals/101", {"opt_fields": "owner,workspace"})
    assert response["data"] == {
        "gid": "101",
        "owner": {"gid": "1", "resource_type": "user"},
        "workspace": {"gid": "77", "resource_type": "workspace"},
    }
