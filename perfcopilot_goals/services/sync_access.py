"""How Asana is asked for one connection: its settings checked, its token held, one client.

Whoever asks does it by way of this, a sync's run and the command line alike, so that a token is never used twice at
once. No Dagster in here: the command line need not wait for it.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from perfcopilot_goals.asana.address import check_base_url
from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock, token_identity
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.gid import is_gid
from perfcopilot_goals.errors import GoalsConfigError, GoalsError
from perfcopilot_goals.services.redaction import redact, redact_credentials
from perfcopilot_goals.services.tokens import load_token
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_mapping
from perfcopilot_goals.storage.locks import WAIT_SECONDS, token_lock


def require_workspace(connection: Connection) -> str:
    """The connection's workspace GID, or `GoalsConfigError`: without it nothing is pulled."""
    gid = (connection.workspace_gid or "").strip()
    if is_gid(gid):
        return gid
    problem = "is not a string of digits" if gid else "is not set"
    raise GoalsConfigError(
        f"connection {connection.connection}: its Asana workspace GID {problem}; nothing was pulled, no request "
        f"was sent. Set it: perfcopilot-goals connection set {connection.connection} --workspace-gid GID"
    )


def require_employees(database: Database, connection: Connection) -> None:
    """Raise `GoalsConfigError` where nobody is on the roster: no goal could belong to anybody."""
    with database.connect("reading the roster") as transaction:
        if read_mapping(transaction, connection.connection):
            return
    raise GoalsConfigError(
        "its roster is empty; nothing was pulled, no request was sent",
        connection=connection.connection,
        action="Import one: perfcopilot-goals employee import {connection} FILE.csv, or sync with --allow-empty",
    )


@contextmanager
def open_client(
    database: Database,
    connection: Connection,
    settings: Settings,
    *,
    clock: Clock = SYSTEM_CLOCK,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[AsanaClient]:
    """The connection's client, for as long as the token is ours; `GoalsConfigError` before any request.

    `on_wait` hears what to tell while somebody else uses the token, at once and then every half minute. The client is
    made after that wait, which may be long, because its deadline runs from then on. Every error names the connection.
    """
    try:
        token = load_token(connection.token_ref, connection.connection, settings)
        redact(token)
        redact_credentials(settings.asana_proxy or "")
        base_url = check_base_url(connection.base_url, settings.asana_hosts)

        def tell(waited_seconds: float) -> None:
            on_wait(describe_wait(connection.connection, waited_seconds))

        with (
            token_lock(database, token_identity(token), on_wait=tell),
            closing(
                AsanaClient(
                    base_url,
                    token,
                    requests_per_minute=connection.requests_per_minute,
                    allowed_hosts=settings.asana_hosts,
                    clock=clock,
                    proxy=settings.asana_proxy,
                )
            ) as client,
        ):
            yield client
    except GoalsError as error:
        error.about(connection.connection)
        raise


def describe_wait(connection: str, waited_seconds: float) -> str:
    """What to tell a person while another sync has the token."""
    if waited_seconds < 1:
        return f"{connection}: another sync is using the same Asana token; waiting until it is done."
    return (
        f"{connection}: still waiting for the sync that uses the same Asana token, {waited_seconds:.0f} s so far; "
        f"gives up after {WAIT_SECONDS / 60:.0f} minutes."
    )
