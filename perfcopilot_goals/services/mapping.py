"""Who the employees are in Asana: the roster beside the workspace's users.

A person maps employees and asks for suggestions. A sync checks once a day whether the mapping still agrees with
Asana's users. Suggestions and that check record the same two things: which mappings the e-mails contradict, and whose
Asana user is gone. `core` decides what is a match and what contradicts one. The users themselves are not stored.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.asana.client import GRACE_SECONDS, AsanaClient
from perfcopilot_goals.asana.listing import fetch_users
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.core.mapping_conflicts import MappingConflict, find_conflicts
from perfcopilot_goals.core.roster import check_gid
from perfcopilot_goals.core.roster_changes import find_mapping_problems
from perfcopilot_goals.core.suggestions import EXACT, AsanaUser, Suggestion, parse_users, suggest_users
from perfcopilot_goals.domain.actions import COPY_USER_GID
from perfcopilot_goals.domain.audit import MAPPED, UNMAPPED
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import fold
from perfcopilot_goals.domain.ids import is_gid
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.services.connections import find_connection
from perfcopilot_goals.services.sync_access import open_client, require_workspace
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.audit_log import add_audit_entry
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import map_employee, map_unmapped, read_employees, read_erased
from perfcopilot_goals.storage.locks import lock_roster
from perfcopilot_goals.storage.users_check import read_users_check, record_gone_users, record_users_check


@dataclass(frozen=True)
class UsersSeen:
    """What the workspace's users say about the mapping.

    `users` is how many users there are. `hidden_emails` is how many of their e-mails Asana does not show. `gone` are
    the employees whose Asana user is not in the workspace any more.
    """

    users: int
    hidden_emails: int
    conflicts: list[MappingConflict]
    gone: list[str]


@dataclass(frozen=True)
class Suggested:
    """A suggestion for each unmapped employee, how many of the exact ones were applied, and the workspace's users."""

    suggestions: list[Suggestion]
    applied: int
    seen: UsersSeen
    users: list[AsanaUser]


def set_mapping(
    database: Database, name: str, employee_id: str, gid: str | None, *, actor: str | None = None
) -> str | None:
    """Maps an employee to an Asana user, or with None unlinks them; `GoalsConfigError` if that cannot be.

    Returns the user that they were mapped to before. If that is another one, their block is gone until the next sync.
    If `actor` is given, the audit log gets an entry.
    """
    with database.connect("changing the roster") as conn:
        read_connection(conn, name)
        try:
            user = None if gid is None else check_gid(gid, "the Asana user's GID", COPY_USER_GID)
            before = map_employee(conn, name, employee_id, user)
        except GoalsError as error:
            error.about(name)
            raise
        add_audit_entry(conn, name, actor, UNMAPPED if gid is None else MAPPED, [employee_id])
    return before


def save_mappings(
    database: Database, name: str, gid_of: Mapping[str, str], *, actor: str, dry_run: bool = False
) -> dict[str, str]:
    """Maps all of these employees, each of them unmapped so far, or none; returns what is wrong, by employee id."""
    with database.connect("changing the roster") as conn:
        read_connection(conn, name)
        lock_roster(conn, name)
        erased = read_erased(conn, name)
        problems = find_mapping_problems(read_employees(conn, name), gid_of, erased.has_user)
        if gid_of and not (problems or dry_run):
            map_unmapped(conn, name, gid_of)
            add_audit_entry(conn, name, actor, MAPPED, gid_of)
    return problems


def find_users(users: list[AsanaUser], text: str) -> list[AsanaUser]:
    """The users with this text in their name, e-mail or GID, in any case; none for an empty text."""
    wanted = text.strip().casefold()
    return [u for u in users if wanted and wanted in f"{u.name}\n{u.email or ''}\n{u.gid}".casefold()]


def find_gids(typed: Mapping[str, str], users: list[AsanaUser]) -> tuple[dict[str, str], dict[str, str]]:
    """The Asana user whom each text means, and what is wrong with the others, both by employee id.

    A text is a GID, or the e-mail address or the whole name of exactly one of the users. An empty one means nobody: it
    would equal an address that Asana hides.
    """
    gid_of, problems = {}, {}
    for employee_id, text in typed.items():
        wanted = fold(text.strip())
        found = {u.gid for u in users if wanted and wanted in (fold(u.email or ""), fold(u.name))}
        meant = {wanted} if is_gid(wanted) else found
        if len(meant) == 1:
            gid_of[employee_id] = meant.pop()
        else:
            several = "several Asana users are called that" if meant else "no Asana user that was listed is called that"
            problems[employee_id] = f"{several}; type the user's GID"
    return gid_of, problems


def match_again(database: Database, name: str, users: list[AsanaUser]) -> list[Suggestion]:
    """Suggestions by the roster as it is now and the users as they were listed before; asks Asana nothing."""
    with database.connect("matching the roster") as conn:
        return suggest_users(read_employees(conn, name), users)


def suggest_mapping(
    database: Database,
    settings: Settings,
    name: str,
    *,
    apply: bool,
    clock: Clock = SYSTEM_CLOCK,
    grace_seconds: float = GRACE_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Suggested:
    """Asks Asana for its users and suggests one for each unmapped employee; `apply` maps the exact matches.

    Waits while a sync uses the token, and reports that to `on_wait`. Sends no request if a setting is missing.
    """
    connection = find_connection(database, name)
    workspace_gid = require_workspace(connection)
    with open_client(
        database, connection, settings, clock=clock, grace_seconds=grace_seconds, on_wait=on_wait
    ) as client:
        client.expect(1)
        listed = parse_users(fetch_users(client, workspace_gid))
        with database.connect("matching the roster") as conn:
            users = _without_erased(conn, name, listed)
            suggestions = suggest_users(read_employees(conn, name), users)
            exact = {s.employee_id: s.gid for s in suggestions if s.kind == EXACT and s.gid}
            applied = map_unmapped(conn, name, exact) if apply else 0
            return Suggested(suggestions, applied, _record(conn, connection, users, len(listed)), users)


def check_mapping(database: Database, client: AsanaClient, connection: Connection) -> UsersSeen | GoalsError | None:
    """Checks whether the mapping agrees with Asana's users, and records the result; None if that is not due yet.

    A sync goes on without this check. So an error is returned, not raised, and the last result stays. The requests
    have their own retries and deadline.
    """
    name = connection.connection
    try:
        with database.connect("reading when the users were checked") as conn:
            if not read_users_check(conn, name).is_due:
                return None
        with client.apart() as apart:
            listed = parse_users(fetch_users(apart, require_workspace(connection)))
        with database.connect("recording the check of the users") as conn:
            users = _without_erased(conn, name, listed)
            return _record(conn, connection, users, len(listed))
    except GoalsError as error:
        return error.about(name)


def _without_erased(conn: sa.Connection, name: str, users: list[AsanaUser]) -> list[AsanaUser]:
    """The users without those of erased people. Nobody else changes the roster until the transaction ends."""
    lock_roster(conn, name)
    erased = read_erased(conn, name)
    return [user for user in users if not erased.has_user(user.gid)]


def _record(conn: sa.Connection, connection: Connection, users: list[AsanaUser], listed: int) -> UsersSeen:
    """Compares the roster with the users and records the result; `listed` is how many users Asana listed."""
    name = connection.connection
    conflicts = find_conflicts(read_employees(conn, name), users)
    kinds = {conflict.employee_id: conflict.kind for conflict in conflicts}
    record_users_check(conn, connection, users=listed, conflicts=kinds)
    gone = record_gone_users(conn, name, [user.gid for user in users])
    return UsersSeen(len(users), sum(user.email is None for user in users), conflicts, gone)
