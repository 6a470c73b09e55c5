"""Whose token it is, and whether it sees the workspace."""

import pytest

from perfcopilot_goals.asana.identity import fetch_identity
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsConfigError, GoalsError
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import WORKSPACE, flat_world, serve


@pytest.mark.parametrize(("gid", "requests"), [(None, 1), (WORKSPACE, 2)])
def test_a_token_tells_its_user_and_the_workspaces_it_sees(gid: str | None, requests: int, connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        identity = fetch_identity(connect(asana), gid)
        assert asana.count() == requests
    assert (identity.user_gid, identity.user_name) == ("1", "Ada Thimble")
    assert identity.workspaces == {WORKSPACE: "Canary works"}


@pytest.mark.parametrize(
    ("gid", "kind"), [("78", GoalsConfigError), ("99", AsanaAccessError)], ids=["unknown", "closed"]
)
def test_a_workspace_that_is_not_seen_fails_as_a_sync_would(gid: str, kind: type[GoalsError], connect: Connect) -> None:
    with serve(flat_world(1), closed_workspaces=["99"]) as asana, raises(kind, f"GET /workspaces/{gid}"):
        fetch_identity(connect(asana), gid)


def test_a_token_that_is_refused_is_told(connect: Connect) -> None:
    with Sandbox(flat_world(1), token="another") as asana, raises(AsanaAccessError, "GET /users/me answered 401"):
        fetch_identity(connect(asana), None)


@pytest.mark.parametrize(
    "body",
    [
        *("null", "[]", "{}", '"x"', '{"data":null}', '{"data":[]}', '{"data":{}}', '{"data":{"gid":"1"}}'),
        '{"data":{"gid":"1","name":"' + BODY + '","workspaces":[7]}}',
        '{"data":{"gid":"1","name":"' + BODY + '","workspaces":7}}',
    ],
)
def test_an_answer_of_another_shape_breaks_the_contract(body: str, connect: Connect) -> None:
    with serve(flat_world(1), faults=faults.reply(200, body.encode())) as asana, raises(AsanaContractError):
        fetch_identity(connect(asana), None)
