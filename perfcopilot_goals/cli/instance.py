"""The Dagster instance as the commands use it.

Only here does the command line import Dagster, and only when a command calls one of these. Dagster takes a second to
import, and neither `--help` nor a command that reads a table should wait for it.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.startup import starting

if TYPE_CHECKING:
    import dagster as dg

    from perfcopilot_goals.defs.progress import Report
    from perfcopilot_goals.defs.runs import Runner
    from perfcopilot_goals.services.retention import RunHistory

# What a process that syncs imports; a parent imports it once for all its workers.
RUNNER_MODULES = ("perfcopilot_goals.defs.instance", "perfcopilot_goals.defs.runs")


@contextmanager
def open_instance(session: Session) -> Iterator["dg.DagsterInstance"]:
    """The Dagster instance of this checkout, or of DAGSTER_HOME if that is set."""
    settings = session.settings
    assert session.database  # fails here, in a second and in our words, rather than in Dagster's
    if not settings.dagster_home.is_dir():
        raise GoalsConfigError(
            f"DAGSTER_HOME is {settings.dagster_home}, and there is no such folder",
            action="Name a folder that exists, or unset DAGSTER_HOME",
        )
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    if not session.debug:
        # Previews and betas of Dagster that we use on purpose; the tests look at them.
        warnings.simplefilter("ignore")
    with starting():
        import dagster as dg

        from perfcopilot_goals.defs.instance import storage_as_store_errors
    with storage_as_store_errors("using Dagster's storage"), dg.DagsterInstance.get() as instance:
        yield instance


@contextmanager
def open_partitions(session: Session) -> Iterator[Callable[..., None]]:
    """A function that makes a connection one of Dagster's partitions, or with `exists=False` takes it from them.

    Wrap the change of the connection in it: if Dagster's storage cannot be opened, nothing is changed either. Past runs
    stay.
    """
    with open_instance(session) as instance:
        from perfcopilot_goals.defs.partitions import register_partitions, unregister_partition

        def set_partition(connection: str, *, exists: bool) -> None:
            if exists:
                register_partitions(instance, [connection])
            else:
                unregister_partition(instance, connection)

        yield set_partition


@contextmanager
def open_history(session: Session) -> Iterator["RunHistory"]:
    """The instance's runs, to be deleted."""
    with open_instance(session) as instance:
        from perfcopilot_goals.defs.retention import InstanceRuns

        yield InstanceRuns(instance)


@contextmanager
def open_runner(session: Session, report: "Report") -> Iterator["Runner"]:
    """What runs the job in this process."""
    with open_instance(session) as instance:
        with starting():
            from perfcopilot_goals.defs.runs import Runner

        yield Runner(instance, session.settings, session.database, report=report, debug=session.debug)
