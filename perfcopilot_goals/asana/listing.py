"""A paged list, read to its end or not at all; and the list of a workspace's goals.

An offset lives 15 minutes, so a list is drained before anything else is asked. Only `offset` is followed:
`next_page.uri` would send the token wherever it points.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.errors import (
    AsanaAccessError,
    AsanaContractError,
    AsanaUnavailableError,
    GoalsConfigError,
    GoalsError,
)

PAGE_SIZE = 100
MAX_PAGES = 2_000

OnPage = Callable[[int], None]


def fetch_list(
    client: AsanaClient, path: str, params: Mapping[str, str], *, paged: bool = True, on_page: OnPage = lambda _: None
) -> list[dict[str, Any]]:
    """All objects of a list, in Asana's order. `on_page` hears after each page how many there are so far.

    With `paged=False` an answer without `next_page` is whole; otherwise that key has to be there. A short or an empty
    page ends nothing, only a `next_page` of null does. An offset that expired restarts the list once.
    """
    try:
        return _fetch_pages(client, path, params, paged, on_page)
    except Refused as refused:
        if not refused.is_expired_offset:
            raise
    try:
        return _fetch_pages(client, path, params, paged, on_page)
    except Refused as refused:
        if not refused.is_expired_offset:
            raise
    raise AsanaUnavailableError(f"GET {path}: the offset expired twice; nothing was written. Try again later")


def _fetch_pages(
    client: AsanaClient, path: str, params: Mapping[str, str], paged: bool, on_page: OnPage
) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    query = {**params, "limit": str(PAGE_SIZE)}
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        answer = client.get(path, query)
        objects += parse_data(answer, path)
        with client.lock:
            client.figures.pages += 1
        on_page(len(objects))
        offset = _read_offset(answer, path, paged)
        if offset is None:
            return objects
        if offset in seen:
            raise AsanaContractError(f"GET {path}: page {len(seen) + 1} repeats an earlier offset; nothing was written")
        seen.add(offset)
        query["offset"] = offset
        client.expect(1)
    raise AsanaContractError(f"GET {path}: no end after {MAX_PAGES:,} pages; nothing was written")


def parse_data(answer: Any, path: str) -> Sequence[dict[str, Any]]:
    """The objects in `data`, or `AsanaContractError`."""
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise AsanaContractError(f"GET {path}: `data` is missing or is no list of objects; nothing was written")
    return data


def _read_offset(answer: dict[str, Any], path: str, paged: bool) -> str | None:
    if "next_page" not in answer and not paged:
        return None
    next_page = answer.get("next_page", "missing")
    if next_page is None:
        return None
    offset = next_page.get("offset") if isinstance(next_page, dict) else None
    if not isinstance(offset, str) or not offset or not offset.isascii():
        raise AsanaContractError(f"GET {path}: `next_page` is missing or has no offset; nothing was written")
    return offset


def fetch_goals(
    client: AsanaClient, workspace_gid: str, fields: Sequence[str], on_page: OnPage = lambda _: None
) -> list[dict[str, Any]]:
    """Every goal of the workspace that the token can see, with these fields."""
    try:
        params = {"workspace": workspace_gid, "opt_fields": ",".join(fields)}
        return fetch_list(client, "/goals", params, on_page=on_page)
    except Refused as refused:
        raise refusal_of_workspace(refused, workspace_gid, "GET /goals") from None


def refusal_of_workspace(refused: Refused, workspace_gid: str, asked: str) -> GoalsError:
    """What a no to a request about the whole workspace means to whoever has to mend it."""
    answered = f"{asked} answered {refused.status}"
    if refused.status == 401:
        return AsanaAccessError(
            f"{answered}: Asana does not accept the token; nothing was written. Renew it where token_ref points to"
        )
    if refused.status == 402:
        return AsanaAccessError(
            f"{answered}: the workspace's plan does not include Goals; nothing was written. Ask for such a plan"
        )
    if refused.status in (403, 451):
        return AsanaAccessError(
            f"{answered}: the token's user may not read workspace {workspace_gid}; nothing was written. "
            "Invite that user, or use the token of one who has access"
        )
    if refused.is_unknown_route:
        return AsanaContractError(f"{answered}, no such route; nothing was written. Check the connection's base URL")
    if refused.status == 404 or refused.is_about_workspace:
        return GoalsConfigError(
            f"{answered}: Asana knows no workspace {workspace_gid} for this token; nothing was written",
            action="Set the right one: perfcopilot-goals connection set {connection} --workspace-gid GID",
        )
    return AsanaContractError(f"{answered}: the list did not come whole; nothing was written")
