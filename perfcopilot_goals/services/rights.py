"""A database role that may not do what a job asks for gets an error that says who may."""

from collections.abc import Iterator
from contextlib import contextmanager

from perfcopilot_goals.errors import NO_RIGHT, GoalsStoreError


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
