"""Changes that jobs in the UI make, and the error of a job whose role may not make them.

`services.connections` changes any setting and asks nobody. Here Asana is asked first, so that a typing error is refused
at once and not by the next sync.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from perfcopilot_goals.asana.objects import fetch_identity
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.core.roster import check_gid
from perfcopilot_goals.domain.actions import COPY_WORKSPACE_GID, INSPECT, SET_JOB
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.errors import NO_RIGHT, GoalsConfigError, GoalsStoreError
from perfcopilot_goals.services.connections import change_connection, find_connection
from perfcopilot_goals.services.sync_access import open_client
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database


def set_workspace(
    database: Database,
    settings: Settings,
    name: str,
    *,
    workspace_gid: str | None = None,
    enabled: bool | None = None,
    even_if_unseen: bool = False,
    clock: Clock = SYSTEM_CLOCK,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Connection:
    """The connection with another workspace, or enabled or disabled; what is None stays.

    Asks Asana whether the token sees the workspace, and raises `GoalsConfigError` if not, unless `even_if_unseen`.
    Waits while a sync uses the token.
    """
    given: dict[str, Any] = {"workspace_gid": (workspace_gid or "").strip() or None, "enabled": enabled}
    changes = {setting: value for setting, value in given.items() if value is not None}
    row = find_connection(database, name)
    if not changes:
        raise GoalsConfigError(
            "nothing was changed: neither workspace_gid nor enabled was given",
            connection=name,
            action="Give one of them in the launchpad",
        )
    if "workspace_gid" in changes and not even_if_unseen:
        gid = check_gid(changes["workspace_gid"], "the workspace GID", COPY_WORKSPACE_GID)
        with open_client(database, row, settings, clock=clock, on_wait=on_wait) as client:
            seen = list(fetch_identity(client).workspaces)
        if gid not in seen:
            raise GoalsConfigError(
                f"the token does not see workspace {gid}; nothing was changed. It sees {show_ids(seen) or 'none'}",
                connection=name,
                action=f"Give one of those, or even_if_unseen: true. To see their names: {INSPECT}",
            )
    command = f"perfcopilot-goals connection set {name} --workspace-gid GID, or --enable, or --disable"
    with needs_right(SET_JOB, "change connections", command, "perfcopilot-goals grants --apply"):
        return change_connection(database, settings, name, changes)


@contextmanager
def needs_right(job: str, what: str, command: str, grants: str) -> Iterator[None]:
    """Turn Postgres' refusal of the role into an error that names the job, the command, and who may run it.

    `what` continues "may not", `command` does the same for a role that may. `grants` gives the right.
    """
    try:
        yield
    except GoalsStoreError as error:
        if error.sqlstate != NO_RIGHT:
            raise
        raise GoalsStoreError(
            f"the job {job} changed nothing: the database role that runs it may not {what} (SQLSTATE {NO_RIGHT})",
            NO_RIGHT,
            connection=error.connection,
            action=f"Whoever is a member of the role owner may: {command}. For the job, let them run {grants}",
        ) from None
