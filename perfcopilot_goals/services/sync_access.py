"""Access to Asana for one connection: checks its settings, holds its token, opens one client.

A sync's run and the command line both ask Asana through this, so a token is never used twice at once. There is no
Dagster in here, because commands that ask Asana need not wait for its import.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager

from perfcopilot_goals.asana.client import GRACE_SECONDS, AsanaClient
from perfcopilot_goals.asana.http import check_base_url
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock, token_identity
from perfcopilot_goals.domain.actions import IMPORT, SET_WORKSPACE
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.ids import is_gid
from perfcopilot_goals.errors import AsanaUnavailableError, GoalsConfigError, GoalsError
from perfcopilot_goals.services.redaction import redact, redact_credentials
from perfcopilot_goals.services.tokens import load_token
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import has_employees
from perfcopilot_goals.storage.locks import WAIT_SECONDS, token_lock

# A person at a page does not wait as long as a sync. Meanwhile the page holds the token. The longer one is for the list
# of all users: ten thousand are a hundred pages.
PAGE_GRACE_SECONDS = 30.0
PAGE_LIST_SECONDS = 120.0


def require_workspace(connection: Connection) -> str:
    """The connection's workspace GID; `GoalsConfigError` if it is missing or not digits, and then nothing is pulled."""
    gid = (connection.workspace_gid or "").strip()
    if is_gid(gid):
        return gid
    problem = "is not a string of digits" if gid else "is not set"
    raise GoalsConfigError(
        f"its Asana workspace GID {problem}; nothing was pulled, no request was sent",
        connection=connection.connection,
        action=f"Set it: {SET_WORKSPACE}",
    )


def require_employees(database: Database, connection: Connection) -> None:
    """Raises `GoalsConfigError` if the roster is empty, because then no goal could belong to anybody."""
    with database.connect("reading the roster") as conn:
        if has_employees(conn, connection.connection):
            return
    raise GoalsConfigError(
        "its roster is empty; nothing was pulled, no request was sent",
        connection=connection.connection,
        action=f"Import one: {IMPORT}, or sync with --allow-empty",
    )


def group_by_token(names: Iterable[str], connections: Iterable[Connection]) -> list[list[str]]:
    """The names in groups, one per token. The connections of a group are synced one after the other.

    Names of unknown connections are a group, too: syncing them says what is wrong.
    """
    token_of = {connection.connection: connection.token_ref for connection in connections}
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(token_of.get(name, ""), []).append(name)
    return list(groups.values())


@contextmanager
def open_client(
    database: Database,
    connection: Connection,
    settings: Settings,
    *,
    clock: Clock = SYSTEM_CLOCK,
    grace_seconds: float = GRACE_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[AsanaClient]:
    """The connection's client, for as long as we hold the token. A wrong setting is a `GoalsConfigError` before any
    request.

    While somebody else uses the token, `on_wait` gets a line to show, at once and then every half minute. That wait
    may be long. The client is made after it, because the client's deadline starts then. Every error names the
    connection. `grace_seconds` is how long trouble of Asana's may hold up the client.
    """
    name = connection.connection
    try:
        token = load_token(connection.token_ref, name, settings)
        redact(token)
        redact_credentials(settings.asana_proxy or "")
        base_url = check_base_url(connection.base_url, settings.asana_hosts)
        with (
            token_lock(database, token_identity(token), on_wait=lambda waited: on_wait(describe_wait(name, waited))),
            closing(
                AsanaClient(
                    base_url,
                    token,
                    requests_per_minute=connection.requests_per_minute,
                    allowed_hosts=settings.asana_hosts,
                    clock=clock,
                    grace_seconds=grace_seconds,
                    proxy=settings.asana_proxy,
                )
            ) as client,
        ):
            yield client
    except GoalsError as error:
        error.about(name)
        raise


def refuse_to_wait(_: str) -> None:
    """An `on_wait` for a person at a page: raises `AsanaUnavailableError` at once, because a sync may take an hour."""
    raise AsanaUnavailableError(
        "a sync is using the same Asana token at the moment", action="Try again when it has ended"
    )


def describe_wait(connection: str, waited_seconds: float) -> str:
    """The line to show while another sync has the token."""
    if waited_seconds < 1:
        return f"{connection}: another sync is using the same Asana token; waiting until it is done."
    return (
        f"{connection}: still waiting for the sync that uses the same Asana token, {waited_seconds:.0f} s so far; "
        f"gives up after {WAIT_SECONDS / 60:.0f} minutes."
    )
