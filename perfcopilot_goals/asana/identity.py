"""Whose token it is, and which workspaces it sees: what somebody asks who sets a connection up."""

from dataclasses import dataclass

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import refusal_of_workspace
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.errors import AsanaContractError


@dataclass(frozen=True)
class Identity:
    """The token's user, and the workspaces it sees by gid."""

    user_gid: str
    user_name: str
    workspaces: dict[str, str]


def fetch_identity(client: AsanaClient, workspace_gid: str | None) -> Identity:
    """The token's identity, in one request; with a GID one more, which fails as the sync would if it is not seen."""
    asked = "GET /users/me"
    try:
        user = client.get("/users/me", {"opt_fields": "name,workspaces.name"})["data"]
        identity = Identity(user["gid"], user["name"], {w["gid"]: w["name"] for w in user.get("workspaces") or []})
        if workspace_gid is not None:
            asked = f"GET /workspaces/{workspace_gid}"
            client.get(f"/workspaces/{workspace_gid}", {})
    except Refused as refused:
        raise refusal_of_workspace(refused, workspace_gid or "(none)", asked) from None
    except (LookupError, TypeError):
        raise AsanaContractError(
            "GET /users/me: an answer without gid, name and workspaces; check the base URL"
        ) from None
    return identity
