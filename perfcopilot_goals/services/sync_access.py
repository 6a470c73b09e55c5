"""How Asana is asked for one connection: its settings checked, its token held, one client.

Whoever asks does it by way of this, a sync's run and the command line alike, so that a token is never used twice at
once. No Dagster in here: the command line need not wait for it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager

from perfcopilot_goals.asana.address import check_base_url
from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock, token_identity
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import GoalsConfigError, GoalsError
from perfcopilot_goals.services.redaction import redact, redact_credentials
from perfcopilot_goals.settings import load_token
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.locks import token_lock


def require_workspace(connection: Connection) -> str:
    """The connection's workspace GID, or `GoalsConfigError`: without it nothing is pulled."""
    gid = (connection.workspace_gid or "").strip()
    if gid.isascii() and gid.isdigit():
        return gid
    problem = "is not a string of digits" if gid else "is not set"
    raise GoalsConfigError(
        f"connection {connection.connection}: its Asana workspace GID {problem}; nothing was pulled, no request "
        f"was sent. Set it: perfcopilot-goals connection set {connection.connection} --workspace-gid GID"
    )


@contextmanager
def open_client(
    database: Database,
    connection: Connection,
    allowed_hosts: Collection[str],
    *,
    proxy: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[AsanaClient]:
    """The connection's client, for as long as the token is ours; `GoalsConfigError` before any request.

    `proxy` is `Settings.asana_proxy`. `on_wait` hears once that somebody else uses the token. The client is made after
    that wait, which may be long, because its deadline runs from then on. Every error of ours that leaves the block
    names the connection.
    """
    try:
        token = load_token(connection.token_ref, connection.connection)
        redact(token)
        redact_credentials(proxy or "")
        base_url = check_base_url(connection.base_url, allowed_hosts)
        with (
            token_lock(database, token_identity(token), on_wait=on_wait),
            closing(
                AsanaClient(
                    base_url,
                    token,
                    requests_per_minute=connection.requests_per_minute,
                    allowed_hosts=allowed_hosts,
                    clock=clock,
                    proxy=proxy,
                )
            ) as client,
        ):
            yield client
    except GoalsError as error:
        error.about(connection.connection)
        raise
