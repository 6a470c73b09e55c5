"""Who the employees are in Asana: the roster beside the workspace's users.

Two use cases: somebody asks for suggestions, and a sync looks once a day whether the mapping still agrees. Both record
what they saw in the same way: which mappings the e-mails contradict, and whose Asana user is gone. What makes a match
or a contradiction is decided in `core`; the users themselves are not stored.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.asana.users import fetch_users
from perfcopilot_goals.core.mapping_conflicts import MappingConflict, find_conflicts
from perfcopilot_goals.core.suggestions import EXACT, AsanaUser, Suggestion, parse_users, suggest_users
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.services.sync_access import open_client, require_workspace
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import map_unmapped, note_users, read_employees
from perfcopilot_goals.storage.erased import read_erased
from perfcopilot_goals.storage.locks import lock_roster
from perfcopilot_goals.storage.users_check import read_users_check, record_users_check


@dataclass(frozen=True)
class UsersSeen:
    """What the workspace's users say of the mapping.

    `users` is how many there are and `hidden_emails` of how many Asana keeps the e-mail back. `gone` are employees
    whose Asana user is not among them.
    """

    users: int
    hidden_emails: int
    conflicts: list[MappingConflict]
    gone: list[str]


@dataclass(frozen=True)
class Suggested:
    """A suggestion for each unmapped employee, and how many of the exact ones were applied."""

    suggestions: list[Suggestion]
    applied: int
    seen: UsersSeen


def suggest_mapping(
    database: Database,
    settings: Settings,
    name: str,
    *,
    apply: bool,
    clock: Clock = SYSTEM_CLOCK,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Suggested:
    """Asks Asana who its users are and says which of them the unmapped employees may be; `apply` maps the exact ones.

    Waits while a sync uses the token, and tells `on_wait` so. Nothing is asked if a setting is missing.
    """
    with database.connect("reading the connection") as transaction:
        connection = read_connection(transaction, name)
    try:
        workspace_gid = require_workspace(connection)
        with open_client(database, connection, settings, clock=clock, on_wait=on_wait) as client:
            listed = parse_users(fetch_users(client, workspace_gid))
            with database.connect("matching the roster") as transaction:
                users = _without_erased(transaction, name, listed)
                suggestions = suggest_users(read_employees(transaction, name), users)
                exact = {s.employee_id: s.gid for s in suggestions if s.kind == EXACT and s.gid}
                applied = map_unmapped(transaction, name, exact) if apply else 0
                return Suggested(suggestions, applied, _record(transaction, connection, users, len(listed)))
    except GoalsError as error:
        raise error.about(name) from None


def check_mapping(database: Database, client: AsanaClient, connection: Connection) -> UsersSeen | GoalsError | None:
    """Looks whether the mapping agrees with Asana's users, and records it; None where that is not due yet.

    A sync goes on without it, so whatever keeps it from being done is returned and not raised. What was found before
    then stands. The requests have retries and a deadline of their own.
    """
    name = connection.connection
    try:
        with database.connect("reading when the users were checked") as transaction:
            if not read_users_check(transaction, name).is_due:
                return None
        with client.apart() as apart:
            listed = parse_users(fetch_users(apart, require_workspace(connection)))
        with database.connect("recording the check of the users") as transaction:
            users = _without_erased(transaction, name, listed)
            return _record(transaction, connection, users, len(listed))
    except GoalsError as error:
        return error.about(name)


def _without_erased(transaction: psycopg.Connection, name: str, users: list[AsanaUser]) -> list[AsanaUser]:
    """The users without those of erased people. Nobody else changes the roster until the transaction ends."""
    lock_roster(transaction, name)
    erased = read_erased(transaction, name)
    return [user for user in users if not erased.has_user(user.gid)]


def _record(transaction: psycopg.Connection, connection: Connection, users: list[AsanaUser], listed: int) -> UsersSeen:
    """Compares the roster with the users and records what comes of it; `listed` is how many Asana listed."""
    name = connection.connection
    conflicts = find_conflicts(read_employees(transaction, name), users)
    kinds = {conflict.employee_id: conflict.kind for conflict in conflicts}
    record_users_check(transaction, connection, users=listed, conflicts=kinds)
    gone = note_users(transaction, name, [user.gid for user in users])
    return UsersSeen(len(users), sum(user.email is None for user in users), conflicts, gone)
