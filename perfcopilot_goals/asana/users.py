"""The users of a workspace, for finding out who an employee is in Asana.

`core.suggestions` and `core.mapping_conflicts` decide what the users mean for a roster.
"""

from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_list, refusal_of_workspace
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.domain.actions import INSPECT
from perfcopilot_goals.errors import AsanaContractError

# The compact user has no e-mail; it has to be asked for.
USER_FIELDS = "name,email"


def fetch_users(client: AsanaClient, workspace_gid: str) -> list[dict[str, Any]]:
    """Every user of the workspace that the token can see, with name and e-mail, a hundred to a page.

    Users who were removed from the workspace are not listed. An empty list is an error: it has at least the token's
    own user.
    """
    try:
        users = fetch_list(client, "/users", {"workspace": workspace_gid, "opt_fields": USER_FIELDS})
    except Refused as refused:
        raise refusal_of_workspace(refused, workspace_gid, "GET /users").answered(refused.status) from None
    if not users:
        raise AsanaContractError(
            "GET /users: the workspace has no users, not even the token's; nothing was written",
            action=f"Check the workspace GID: {INSPECT}",
        )
    return users
