"""The users of a workspace: what somebody asks who wants to know who an employee is in Asana.

A sync never asks this. What the answers mean for a roster is `core.suggestions`.
"""

from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_list, refusal_of_workspace
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.errors import AsanaContractError

# The compact user has no e-mail; it has to be asked for.
USER_FIELDS = "name,email"


def fetch_users(client: AsanaClient, workspace_gid: str) -> list[dict[str, Any]]:
    """Every user of the workspace that the token can see, in pages of a hundred, with name and e-mail.

    Who was removed from the workspace is not among them. An empty list is an error: the token's own user is in it.
    """
    try:
        users = fetch_list(client, "/users", {"workspace": workspace_gid, "opt_fields": USER_FIELDS})
    except Refused as refused:
        raise refusal_of_workspace(refused, workspace_gid, "GET /users") from None
    if not users:
        raise AsanaContractError(
            "GET /users: the workspace has no users, not even the token's; nothing was written",
            action="Check the workspace GID: perfcopilot-goals connection check {connection}",
        )
    return users
