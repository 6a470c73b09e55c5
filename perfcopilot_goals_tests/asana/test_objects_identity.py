"""Whose token it is, and whether it sees the workspace."""

import pytest

from perfcopilot_goals.asana.objects import fetch_identity, fetch_workspace
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsConfigError, GoalsError
from perfcopilot_goals.sandbox import Fault, Sandbox
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import WORKSPACE, flat_world, serve


def test_a_token_tells_its_user_and_the_workspaces_it_sees(connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        identity = fetch_identity(connect(asana))
        assert asana.count() == 1
    assert (identity.user_gid, identity.user_name) == ("1", "Ada Thimble")
    assert identity.workspaces == {WORKSPACE: "Canary works"}


@pytest.mark.parametrize(
    ("gid", "kind"), [("78", GoalsConfigError), ("99", AsanaAccessError)], ids=["unknown", "closed"]
)
def test_a_workspace_that_is_not_seen_fails_as_a_sync_would(gid: str, kind: type[GoalsError], connect: Connect) -> None:
    with serve(flat_world(1), faults=faults.closed("99")) as asana, raises(kind, f"GET /workspaces/{gid}"):
        fetch_workspace(connect(asana), gid)


@pytest.mark.parametrize(
    "fault", [faults.html(404), faults.status(404, f"Not Found {BODY}")], ids=["a page", "no reason"]
)
def test_a_base_url_without_its_path_is_reported_as_such(fault: Fault, connect: Connect) -> None:
    """`--base-url https://app.asana.com` once said that Asana knows no workspace (none) for this token."""
    with (
        serve(flat_world(1), faults=fault) as asana,
        raises(AsanaContractError, "GET /users/me answered 404", "base URL") as caught,
    ):
        fetch_identity(connect(asana))
    assert "workspace" not in str(caught.value)


@pytest.mark.parametrize("status", [402, 403, 451])
def test_a_token_that_may_not_use_the_api_is_reported_without_a_workspace(status: int, connect: Connect) -> None:
    with (
        serve(flat_world(1), faults=faults.status(status, BODY)) as asana,
        raises(AsanaAccessError, f"GET /users/me answered {status}: Asana does not let this token use its API") as no,
    ):
        fetch_identity(connect(asana))
    assert "workspace" not in str(no.value)


def test_a_workspace_that_is_seen_is_one_request(connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        fetch_workspace(connect(asana), WORKSPACE)
        assert asana.count() == 1


def test_a_refused_token_is_reported(connect: Connect) -> None:
    with Sandbox(flat_world(1), token="another") as asana, raises(AsanaAccessError, "GET /users/me answered 401"):
        fetch_identity(connect(asana))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((body, "gid") for body in ("null", "[]", "{}", '"x"', '{"data":null}', '{"data":[]}', '{"data":{}}')),
        ('{"data":{"gid":7,"name":"' + BODY + '"}}', "gid"),
        ('{"data":{"gid":"1"}}', "name"),
        ('{"data":{"gid":"1","name":{"' + BODY + '":1}}}', "name"),
        ('{"data":{"gid":"1","name":"' + BODY + '","workspaces":[7]}}', "workspaces.gid"),
        ('{"data":{"gid":"1","name":"' + BODY + '","workspaces":[{"gid":"77"}]}}', "workspaces.name"),
        ('{"data":{"gid":"1","name":"' + BODY + '","workspaces":7}}', "workspaces"),
    ],
)
@pytest.mark.fault("C33")
def test_a_response_of_another_shape_is_reported_with_request_field_and_what_to_do(
    body: str, field: str, connect: Connect
) -> None:
    words = [f"GET /users/me: field {field} is ", "no block was changed", "Run it again"]
    with serve(flat_world(1), faults=faults.reply(200, body.encode())) as asana, raises(AsanaContractError, *words):
        fetch_identity(connect(asana))


def test_a_request_that_asana_rejects_is_reported(connect: Connect) -> None:
    refused = faults.status(400, f"opt_fields: Unknown field {BODY}")
    with (
        serve(flat_world(1), faults=refused) as asana,
        raises(AsanaContractError, "GET /users/me answered 400: Asana refused the request's fields"),
    ):
        fetch_identity(connect(asana))
