"""Who may go on and who waits, across processes and machines: Postgres' advisory locks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import sqlalchemy as sa

from perfcopilot_goals.errors import AsanaUnavailableError
from perfcopilot_goals.storage.database import Database, driver

WAIT_SECONDS = 30 * 60.0
POLL_SECONDS = 2.0
# How often a waiting sync says that it still waits.
REPORT_SECONDS = 30.0
# The longest run (`max_runtime_seconds` in dagster.yaml) and the wait before it.
HELD_SECONDS = 4 * 3600.0


def lock_slices(conn: sa.Connection, connection: str) -> None:
    """Keep everybody else from replacing or removing a slice of the connection until the transaction ends."""
    lock = "select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals slice ' || %s, 0))"
    driver(conn).execute(lock, [connection])


def lock_roster(conn: sa.Connection, connection: str) -> None:
    """Keep everybody else from reading and then changing the connection's roster until the transaction ends."""
    lock = "select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals roster ' || %s, 0))"
    driver(conn).execute(lock, [connection])


@contextmanager
def token_lock(
    database: Database,
    token_identity: str,
    *,
    wait_seconds: float = WAIT_SECONDS,
    on_wait: Callable[[float], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the token. Asana's limits are per token: two syncs that each keep to them would break them together.

    The lock has a database connection of its own, without a transaction, and ends with it, also when the process dies.
    While another sync has the token, `on_wait` hears how many seconds this one has waited: at once, and every half
    minute. After `wait_seconds` comes `AsanaUnavailableError`.
    """
    key = f"perfcopilot_goals token {token_identity}"
    with database.connect("waiting for the token", autocommit=True, seconds=HELD_SECONDS, own=True) as conn:
        began = report_at = monotonic()
        while True:
            taken = driver(conn).execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone()
            if taken and taken[0]:
                break
            now = monotonic()
            if now - began >= wait_seconds:
                raise AsanaUnavailableError(
                    f"another sync has been using the same token for {wait_seconds / 60:.0f} minutes; "
                    "nothing was pulled",
                    action="Run this one again later",
                )
            if now >= report_at:
                on_wait(now - began)
                report_at = now + REPORT_SECONDS
            sleep(POLL_SECONDS)
        try:
            yield
        finally:
            # Unlocked at once, since a pooler may end the session later. If the line is lost, Postgres has ended it.
            with suppress(psycopg.Error):
                driver(conn).execute("select pg_advisory_unlock(hashtextextended(%s, 0))", [key])
