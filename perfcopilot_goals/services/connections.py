"""Connections: listed, added, changed, removed, and checked against Asana.

Each connection is a partition in Dagster. The caller keeps those in step.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from perfcopilot_goals.asana.client import GRACE_SECONDS
from perfcopilot_goals.asana.http import DEFAULT_BASE_URL, check_base_url
from perfcopilot_goals.asana.listing import ask_for_goals
from perfcopilot_goals.asana.objects import Identity, fetch_identity, fetch_workspace
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.core.roster import check_gid
from perfcopilot_goals.domain.actions import COPY_WORKSPACE_GID, INSPECT
from perfcopilot_goals.domain.audit import ADDED_CONNECTION, CHANGED_CONNECTION, REMOVED_CONNECTION
from perfcopilot_goals.domain.connection import SUBGOAL_ROUTES, Connection
from perfcopilot_goals.domain.limits import REQUESTS_PER_MINUTE
from perfcopilot_goals.errors import GoalsConfigError, GoalsError
from perfcopilot_goals.services.sync_access import open_client, require_workspace
from perfcopilot_goals.services.tokens import check_token_ref, drop_token
from perfcopilot_goals.settings import DEFAULT_TOKEN_REF, Settings
from perfcopilot_goals.storage.audit_log import add_audit_entry
from perfcopilot_goals.storage.connections import (
    add_connection,
    check_name,
    read_connection,
    read_connections,
    remove_connection,
    set_connection,
)
from perfcopilot_goals.storage.database import Database

DEFAULTS: Mapping[str, Any] = {
    "workspace_gid": None,
    "token_ref": DEFAULT_TOKEN_REF,
    "base_url": DEFAULT_BASE_URL,
    "requests_per_minute": 1_500,
    "subgoal_route": "auto",
    "check_users": True,
    "enabled": True,
}


@dataclass(frozen=True)
class ConnectionCheck:
    """What Asana says of a connection's token and of its workspace.

    `workspace` is `seen`, `not_set`, `not_listed` or `failed`. `not_listed`: Asana responds, but the token does not see
    the workspace. `failed`: `error` says why, as a sync would. `goals_answer` is None if Goals were not asked for; if
    they do not answer, `error` says why.
    """

    connection: str
    workspace_gid: str | None
    identity: Identity
    workspace: Literal["seen", "not_set", "not_listed", "failed"]
    error: GoalsError | None = None
    goals_answer: bool | None = None


def list_connections(database: Database) -> list[Connection]:
    """All connections, by name."""
    with database.connect("reading the connections") as conn:
        return read_connections(conn)


def find_connection(database: Database, name: str) -> Connection:
    """The connection of that name; `GoalsConfigError` if there is none."""
    with database.connect("reading the connection") as conn:
        return read_connection(conn, name)


def create_connection(
    database: Database, settings: Settings, name: str, given: Mapping[str, Any], *, actor: str | None = None
) -> Connection:
    """A new connection with these settings, and defaults for the rest; `GoalsConfigError` if a setting is invalid.

    If `actor` is given, the audit log gets an entry. That holds for every change in here.
    """
    row = Connection(connection=check_name(name), **{**DEFAULTS, **_checked(settings, name, given)})
    with database.connect("adding the connection") as conn:
        add_connection(conn, row)
        add_audit_entry(conn, name, actor, ADDED_CONNECTION)
    return row


def change_connection(
    database: Database, settings: Settings, name: str, changes: Mapping[str, Any], *, actor: str | None = None
) -> Connection:
    """The connection with these settings changed; `GoalsConfigError` if a setting is invalid.

    A token that was typed in goes once no connection names it, here and where one is removed.
    """
    checked = _checked(settings, name, changes)
    with database.connect("changing the connection") as conn:
        before = read_connection(conn, name)
        after = set_connection(conn, name, checked)
        add_audit_entry(conn, name, actor if after != before else None, CHANGED_CONNECTION)
        left = read_connections(conn)
    _drop_unnamed(settings, before.token_ref, left)
    return after


def delete_connection(database: Database, settings: Settings, name: str, *, actor: str | None = None) -> int:
    """Removes a connection with its roster, goals and history; returns how many rows of goals were removed."""
    with database.connect("removing the connection") as conn:
        before = read_connection(conn, name)
        removed = remove_connection(conn, name)
        add_audit_entry(conn, name, actor, REMOVED_CONNECTION)
        left = read_connections(conn)
    _drop_unnamed(settings, before.token_ref, left)
    return removed


def find_setting_problems(settings: Settings, name: str, given: Mapping[str, Any]) -> dict[str, GoalsConfigError]:
    """What is wrong with each of these settings, by its name. A new connection's own name is `connection`."""
    problems = {}
    for setting, value in given.items():
        try:
            _check_setting(settings, name, setting, value)
        except GoalsConfigError as error:
            problems[setting] = error
    return problems


def check_connection(
    database: Database,
    settings: Settings,
    name: str,
    *,
    asks_goals: bool = False,
    clock: Clock = SYSTEM_CLOCK,
    grace_seconds: float = GRACE_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> ConnectionCheck:
    """Asks Asana whose token it is, which workspaces it sees, and whether the connection's workspace can be read.

    `asks_goals`: also whether Goals answer in the workspace, which takes one more request. Raises if the token itself
    is refused. Waits while a sync uses the token, as a sync does.
    """
    row = find_connection(database, name)
    gid = require_workspace(row) if (row.workspace_gid or "").strip() else None
    with open_client(database, row, settings, clock=clock, grace_seconds=grace_seconds, on_wait=on_wait) as client:
        client.expect(2 + asks_goals)
        identity = fetch_identity(client)
        if gid is None:
            return ConnectionCheck(name, gid, identity, "not_set")
        try:
            fetch_workspace(client, gid)
        except GoalsError as error:
            # Returned with the list of workspaces, because the right GID is in that list.
            return ConnectionCheck(name, gid, identity, "failed", error.about(name))
        checked = ConnectionCheck(name, gid, identity, "seen" if gid in identity.workspaces else "not_listed")
        if not asks_goals:
            return checked
        try:
            ask_for_goals(client, gid)
        except GoalsError as error:
            return replace(checked, error=error.about(name), goals_answer=False)
    return replace(checked, goals_answer=True)


def _drop_unnamed(settings: Settings, token_ref: str, connections: Iterable[Connection]) -> None:
    """Deletes the file of a typed token, unless one of the connections names it. After the commit, which may fail."""
    if all(row.token_ref != token_ref for row in connections):
        drop_token(settings, token_ref)


def _checked(settings: Settings, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """These settings, each of them valid; `GoalsConfigError` about the connection otherwise."""
    try:
        return {setting: _check_setting(settings, name, setting, value) for setting, value in given.items()}
    except GoalsConfigError as error:
        raise error.about(name) from None


def _check_setting(settings: Settings, name: str, setting: str, value: Any) -> Any:
    """The setting in its stored form, or `GoalsConfigError`."""
    if setting == "connection":
        return check_name(value)
    if setting == "workspace_gid":
        return None if value is None else _check_workspace_gid(name, value)
    if setting == "token_ref":
        return check_token_ref(value, settings)
    if setting == "base_url":
        return check_base_url(value, settings.asana_hosts)
    if setting == "requests_per_minute" and value not in REQUESTS_PER_MINUTE:
        raise GoalsConfigError(
            f"requests per minute are {REQUESTS_PER_MINUTE.start} to {REQUESTS_PER_MINUTE.stop - 1:,}; "
            "Asana allows 1,500 on paid plans and 150 on free ones",
            connection=name,
        )
    if setting == "subgoal_route" and value not in SUBGOAL_ROUTES:
        raise GoalsConfigError(f"the sub-goal route is one of {', '.join(SUBGOAL_ROUTES)}", connection=name)
    return value


def _check_workspace_gid(name: str, given: str) -> str:
    """The GID without blanks around it; for an address of Asana's, `GoalsConfigError` says where the GID is in it."""
    if "asana.com/" not in given:
        return check_gid(given, "the workspace GID", COPY_WORKSPACE_GID)
    # https://app.asana.com/1/<workspace>/project/<project>/…; the older /0/<project>/… does not have it.
    if re.search(r"asana\.com/1/[0-9]+", given):
        action = "Give the number after /1/ in that address"
    else:
        action = f"This address does not have it. To list the right ones: {INSPECT}"
    raise GoalsConfigError(
        "the workspace GID must be digits; what was given is a browser's address", connection=name, action=action
    )
