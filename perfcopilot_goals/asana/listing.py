"""A paged list, read to its end or not at all; and the lists of a workspace's goals and of its users.

An offset lives 15 minutes, so a list is read to its end before anything else is asked. Only `offset` is followed:
`next_page.uri` would send the token wherever it points.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.domain.actions import INSPECT, SET_WORKSPACE
from perfcopilot_goals.domain.limits import PAGE_SIZE
from perfcopilot_goals.errors import (
    AsanaAccessError,
    AsanaContractError,
    AsanaUnavailableError,
    GoalsConfigError,
    GoalsError,
)

MAX_PAGES = 2_000
# The compact user has no e-mail; it has to be asked for.
USER_FIELDS = "name,email"

OnPage = Callable[[int], None]


def fetch_list(
    client: AsanaClient,
    path: str,
    params: Mapping[str, str],
    *,
    request: str = "",
    paged: bool = True,
    on_page: OnPage = lambda _: None,
) -> list[dict[str, Any]]:
    """All objects of a list, in Asana's order. `on_page` gets the number so far after each page.

    `request` is how errors name the list where its path does not say enough. A `next_page` of null ends the list; a
    short or empty page does not. With `paged=False` a missing `next_page` ends it too; otherwise that is an error. If
    an offset has expired, the list is read again from the start, once.
    """
    request = request or f"GET {path}"
    for _ in range(2):
        try:
            return _fetch_pages(client, path, params, request, paged, on_page)
        except Refused as refused:
            if not refused.is_expired_offset:
                raise
    raise AsanaUnavailableError(f"{request}: the offset expired twice; no block was changed")


def _fetch_pages(
    client: AsanaClient, path: str, params: Mapping[str, str], request: str, paged: bool, on_page: OnPage
) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    query = {**params, "limit": str(PAGE_SIZE)}
    seen: set[str] = set()
    for page in range(1, MAX_PAGES + 1):
        try:
            response = client.get(path, query)
        except Refused as refused:
            about_workspace = "workspace" in params and refused.is_about_workspace
            if refused.status != 400 or refused.is_expired_offset or about_workspace:
                raise
            raise _refusal_of_page(request, page).answered(refused.status) from None
        objects += parse_data(response, request)
        with client.lock:
            client.stats.pages += 1
        on_page(len(objects))
        offset = _parse_offset(response, request, paged)
        if offset is None:
            return objects
        if offset in seen:
            raise AsanaContractError(f"{request}: page {page} repeats an earlier offset; no block was changed")
        seen.add(offset)
        query["offset"] = offset
        client.expect(1)
    raise AsanaContractError(f"{request}: no end after {MAX_PAGES:,} pages; no block was changed")


def parse_data(response: Any, request: str) -> Sequence[dict[str, Any]]:
    """The objects in `data`, or `AsanaContractError`."""
    data = response.get("data") if isinstance(response, dict) else None
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise AsanaContractError(f"{request}: `data` is missing or is no list of objects; no block was changed")
    return data


def _parse_offset(response: dict[str, Any], request: str, paged: bool) -> str | None:
    next_page = response.get("next_page", "missing" if paged else None)
    if next_page is None:
        return None
    offset = next_page.get("offset") if isinstance(next_page, dict) else None
    if not isinstance(offset, str) or not offset or not offset.isascii():
        raise AsanaContractError(f"{request}: `next_page` is missing or has no offset; no block was changed")
    return offset


def fetch_goals(
    client: AsanaClient, workspace_gid: str, fields: Sequence[str], on_page: OnPage = lambda _: None
) -> list[dict[str, Any]]:
    """Every goal of the workspace that the token can see, with these fields."""
    params = {"workspace": workspace_gid, "opt_fields": ",".join(fields)}
    with explained(workspace_gid, "GET /goals"):
        return fetch_list(client, "/goals", params, on_page=on_page)


def ask_for_goals(client: AsanaClient, workspace_gid: str) -> None:
    """Ask for one goal of the workspace, in one request. If Goals do not answer there, this fails as a sync would."""
    with explained(workspace_gid, "GET /goals"):
        parse_data(client.get("/goals", {"workspace": workspace_gid, "limit": "1"}), "GET /goals")


def fetch_users(client: AsanaClient, workspace_gid: str) -> list[dict[str, Any]]:
    """Every user of the workspace that the token can see, with name and e-mail, a hundred to a page.

    Users who were removed from the workspace are not listed. An empty list is an error: it has at least the token's
    own user.
    """
    with explained(workspace_gid, "GET /users"):
        users = fetch_list(client, "/users", {"workspace": workspace_gid, "opt_fields": USER_FIELDS})
    if not users:
        raise AsanaContractError(
            "GET /users: the workspace has no users, not even the token's; no block was changed",
            action=f"Check the workspace GID: {INSPECT}",
        )
    return users


def _refusal_of_page(request: str, page: int) -> AsanaContractError:
    """The error for a 400 that is neither about the workspace nor about an expired offset."""
    if page == 1:
        return AsanaContractError(
            f"{request} answered 400: Asana refused the request's fields or parameters; no block was changed",
            action="Check the connection's base URL. If it is right, Asana's API has changed: upgrade "
            "perfcopilot-goals or report it",
        )
    return AsanaContractError(
        f"{request} answered 400 on page {page}: the list did not come whole; no block was changed"
    )


@contextmanager
def explained(workspace_gid: str | None, request: str) -> Iterator[None]:
    """Raises the error that says what to do where a request about the whole workspace is refused.

    The workspace is None where the request names none.
    """
    try:
        yield
    except Refused as refused:
        raise _refusal_of_workspace(refused, workspace_gid, request).answered(refused.status) from None


def _refusal_of_workspace(refused: Refused, workspace_gid: str | None, request: str) -> GoalsError:
    answered = f"{request} answered {refused.status}"
    if refused.status == 401:
        return AsanaAccessError(
            f"{answered}: Asana does not accept the token; no block was changed",
            action="Renew the token that the connection's token_ref names",
        )
    if refused.is_unknown_route or (refused.status == 404 and workspace_gid is None):
        return AsanaContractError(
            f"{answered}, no such route; no block was changed", action="Check the connection's base URL"
        )
    if workspace_gid is None and refused.status in (402, 403, 451):
        return AsanaAccessError(
            f"{answered}: Asana does not let this token use its API; no block was changed",
            action="Ask Asana's administrator of your company to allow it, or use another user's token",
        )
    if refused.status == 402:
        return AsanaAccessError(
            f"{answered}: the workspace's plan does not include Goals; no block was changed",
            action="Ask the workspace's administrator for a plan with Goals",
        )
    if refused.status in (403, 451):
        return AsanaAccessError(
            f"{answered}: the token's user may not read workspace {workspace_gid}; no block was changed",
            action="Invite that user, or use the token of one who has access",
        )
    if refused.status == 404 or refused.is_about_workspace:
        return GoalsConfigError(
            f"{answered}: Asana knows no workspace {workspace_gid} for this token; no block was changed",
            action=f"Set the right one: {SET_WORKSPACE}",
        )
    return _refusal_of_page(request, 1)
