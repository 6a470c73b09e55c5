"""Goals asked for one by one, to see what has become of them since a sync."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError

# Enough for the token's pace at a quarter of a second per response.
_WORKERS = 10


def fetch_single_goals(
    client: AsanaClient, goal_gids: Sequence[str], fields: Sequence[str]
) -> dict[str, dict[str, Any] | int]:
    """These goals by gid, one request each, at the token's pace.

    In place of a goal that is gone there is the status 404, and 403 if the token may not see it. Any other refusal is
    an error.
    """
    client.expect(len(goal_gids))
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="asana") as workers:
        asked = {gid: workers.submit(_fetch, client, gid, ",".join(fields)) for gid in goal_gids}
        try:
            return {gid: response.result() for gid, response in asked.items()}
        except BaseException:
            # Also on Ctrl-C: workers that wait for their turn or a retry would keep the process alive.
            client.stop.set()
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(client: AsanaClient, gid: str, fields: str) -> dict[str, Any] | int:
    request = f"GET /goals/{gid}"
    try:
        response = client.get(f"/goals/{gid}", {"opt_fields": fields})
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
    goal = response.get("data") if isinstance(response, dict) else None
    if not isinstance(goal, dict) or goal.get("gid") != gid:
        raise AsanaContractError(f"{request}: `data` is missing or is another goal")
    return goal
