"""The users of a workspace: all pages or an error, with the right fields."""

import pytest

from perfcopilot_goals.asana.listing import fetch_users
from perfcopilot_goals.errors import (
    AsanaAccessError,
    AsanaContractError,
    AsanaUnavailableError,
    GoalsConfigError,
    GoalsError,
)
from perfcopilot_goals.sandbox import Fault, Person, World
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import WORKSPACE, serve


def people_world(people: int) -> World:
    """A world with this many users. Every third one shows no address."""
    persons = [Person(f"{n:04d}", BODY, None if n % 3 == 0 else f"p{n}@example.com") for n in range(people)]
    return World(WORKSPACE, "Canary works", {person.gid: person for person in persons})


@pytest.mark.parametrize(("people", "pages"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_every_user_comes_with_name_and_address_in_pages_of_a_hundred(
    people: int, pages: int, connect: Connect
) -> None:
    world = people_world(people)
    with serve(world) as asana:
        users = fetch_users(connect(asana), WORKSPACE)
        assert asana.count("/users?") == len(asana.requests) == pages
        assert {call.query["opt_fields"] for call in asana.requests} == {"name,email"}
        assert {call.query["limit"] for call in asana.requests} == {"100"}
    assert [(u["gid"], u["name"], u.get("email")) for u in users] == [
        (p.gid, p.name, p.email) for p in world.people.values()
    ]


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (faults.status(401, "Not Authorized"), AsanaAccessError, "GET /users answered 401"),
        (faults.status(403, "Forbidden"), AsanaAccessError, "GET /users answered 403"),
        (faults.status(404, "workspace: Unknown object: 77"), GoalsConfigError, "Asana knows no workspace 77"),
        (faults.status(400, "opt_fields: Unknown field"), AsanaContractError, "GET /users answered 400: Asana refused"),
        (faults.html(), AsanaContractError, "GET /users"),
        (faults.without("next_page"), AsanaContractError, "GET /users"),
        (faults.loop_offsets(), AsanaContractError, "GET /users"),
        (faults.status(503), AsanaUnavailableError, "GET /users"),
    ],
    ids=["token", "access", "workspace", "fields", "html", "no-next-page", "endless", "down"],
)
def test_a_list_that_does_not_come_whole_is_an_error(
    fault: Fault, kind: type[GoalsError], told: str, connect: Connect
) -> None:
    with serve(people_world(250), faults=fault) as asana, raises(kind, told):
        fetch_users(connect(asana), WORKSPACE)


@pytest.mark.fault("B41")
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 451, 503])
def test_the_error_has_the_status_that_the_list_was_refused_with(status: int, connect: Connect) -> None:
    with serve(people_world(1), faults=faults.status(status)) as asana, pytest.raises(GoalsError) as refused:
        fetch_users(connect(asana), WORKSPACE)
    assert refused.value.status == status


def test_a_workspace_without_any_user_is_not_believed(connect: Connect) -> None:
    """Otherwise every mapped employee would count as gone."""
    with serve(World("78", "Empty", {})) as asana, raises(AsanaContractError, "GET /users: the workspace has no users"):
        fetch_users(connect(asana), "78")
