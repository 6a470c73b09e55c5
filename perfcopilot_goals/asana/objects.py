"""Single objects, one request each: the token's user, a workspace, and goals as they are now. `listing` reads lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import explained
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError

ME = "GET /users/me"
# Enough for the token's pace at a quarter of a second per response.
_WORKERS = 10


@dataclass(frozen=True)
class Identity:
    """The token's user, and the names of the workspaces it sees, by gid."""

    user_gid: str
    user_name: str
    workspaces: dict[str, str]


def fetch_identity(client: AsanaClient) -> Identity:
    """The token's identity, in one request."""
    with explained(None, ME):
        user = _data(client.get("/users/me", {"opt_fields": "name,workspaces.name"}))
    workspaces = user.get("workspaces")
    if not isinstance(workspaces, list | None):
        raise AsanaContractError(f"{ME}: field workspaces is not a list; no block was changed")
    name_of = {_text(one, "gid", "workspaces."): _text(one, "name", "workspaces.") for one in workspaces or []}
    return Identity(_text(user, "gid"), _text(user, "name"), name_of)


def fetch_workspace(client: AsanaClient, workspace_gid: str) -> None:
    """Ask for one workspace, in one request. If the token does not see it, this fails as a sync would."""
    path = f"/workspaces/{workspace_gid}"
    with explained(workspace_gid, f"GET {path}"):
        client.get(path, {})


def fetch_single_goals(
    client: AsanaClient, goal_gids: Sequence[str], fields: Sequence[str]
) -> dict[str, dict[str, Any] | int]:
    """These goals by gid, one request each, at the token's pace.

    In place of a goal that is gone there is the status 404, and 403 if the token may not see it. Any other refusal is
    an error.
    """
    client.expect(len(goal_gids))
    with client.workers(_WORKERS) as workers:
        asked = {gid: workers.submit(_fetch_goal, client, gid, ",".join(fields)) for gid in goal_gids}
        return {gid: response.result() for gid, response in asked.items()}


def _fetch_goal(client: AsanaClient, gid: str, fields: str) -> dict[str, Any] | int:
    request = f"GET /goals/{gid}"
    try:
        goal = _data(client.get(f"/goals/{gid}", {"opt_fields": fields}))
    except Refused as refused:
        if refused.is_unknown_route or refused.status == 400:
            raise AsanaContractError(f"{request} answered {refused.status}: Asana refused the request itself").answered(
                refused.status
            ) from None
        if refused.status in (403, 404):
            return refused.status
        raise AsanaAccessError(
            f"{request} answered {refused.status}: Asana does not accept the token or its plan",
            action="Check the token that the connection's token_ref names",
        ).answered(refused.status) from None
    if goal.get("gid") != gid:
        raise AsanaContractError(f"{request}: `data` is missing or is another goal")
    return goal


def _data(response: Any) -> dict[str, Any]:
    """The object in `data`; {} if there is none."""
    data = response.get("data") if isinstance(response, dict) else None
    return data if isinstance(data, dict) else {}


def _text(response: Any, field: str, path: str = "") -> str:
    value = response.get(field) if isinstance(response, dict) else None
    if not isinstance(value, str):
        raise AsanaContractError(f"{ME}: field {path}{field} is missing or not text; no block was changed")
    return value
