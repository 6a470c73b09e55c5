"""Whose token it is, and which workspaces it sees, for setting up a connection."""

from dataclasses import dataclass
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import explained
from perfcopilot_goals.errors import AsanaContractError

ME = "GET /users/me"


@dataclass(frozen=True)
class Identity:
    """The token's user, and the names of the workspaces it sees, by gid."""

    user_gid: str
    user_name: str
    workspaces: dict[str, str]


def fetch_identity(client: AsanaClient) -> Identity:
    """The token's identity, in one request."""
    with explained(None, ME):
        return _parse_identity(client.get("/users/me", {"opt_fields": "name,workspaces.name"}))


def fetch_workspace(client: AsanaClient, workspace_gid: str) -> None:
    """Ask for one workspace, in one request. If the token does not see it, this fails as a sync would."""
    path = f"/workspaces/{workspace_gid}"
    with explained(workspace_gid, f"GET {path}"):
        client.get(path, {})


def _parse_identity(response: Any) -> Identity:
    user = response.get("data") if isinstance(response, dict) else None
    workspaces = user.get("workspaces") if isinstance(user, dict) else None
    if not isinstance(workspaces, list | None):
        raise AsanaContractError(f"{ME}: field workspaces is not a list; nothing was written")
    name_of = {_text(one, "gid", "workspaces."): _text(one, "name", "workspaces.") for one in workspaces or []}
    return Identity(_text(user, "gid"), _text(user, "name"), name_of)


def _text(response: Any, field: str, path: str = "") -> str:
    value = response.get(field) if isinstance(response, dict) else None
    if not isinstance(value, str):
        raise AsanaContractError(f"{ME}: field {path}{field} is missing or not text; nothing was written")
    return value
