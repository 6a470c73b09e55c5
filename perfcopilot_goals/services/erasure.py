"""A person erased from everything that is kept: our tables, Dagster's, the sync log, the files that runs print to."""

from dataclasses import dataclass

from perfcopilot_goals.core.erasure import Redaction
from perfcopilot_goals.domain.sync import SLICE_TABLES, VERSION_TABLES
from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.dagster_history import redact_rows, runs_of_others, tables_with_statistics_of
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database
from perfcopilot_goals.storage.erasure import Erasure, erase_employee, redact_sync_log, vacuum
from perfcopilot_goals.storage.erasure_scan import scan_for_leftovers
from perfcopilot_goals.storage.local_files import redact_files
from perfcopilot_goals.storage.roster import read_conflicts

# Named here for the rooms that may not import storage.
__all__ = ["scan_for_leftovers"]


@dataclass(frozen=True)
class ErasedPerson:
    """What was erased, and how many rows in each place.

    `not_cleaned` says why Postgres may still keep dead rows of theirs, and values in the planner's statistics.
    """

    erasure: Erasure
    removed: dict[str, int]
    not_cleaned: GoalsStoreError | None


def has_doubtful_mapping(database: Database, connection: str, employee_id: str) -> bool:
    """Whether the employee may be mapped to somebody else's Asana user, by the last comparison with Asana's users.

    `GoalsConfigError` if there is no such connection.
    """
    with database.connect("reading the connection") as conn:
        read_connection(conn, connection)
        return any(row.employee_id == employee_id for row in read_conflicts(conn, connection))


def erase_person(database: Database, settings: Settings, connection: str, employee_id: str) -> ErasedPerson:
    """Erases the employee in one transaction, files last, then has Postgres drop the dead rows.

    `GoalsConfigError` if the connection has no such employee.
    """
    with database.connect("erasing an employee", maintenance=True) as conn:
        erasure = erase_employee(conn, connection, employee_id)
        redaction = Redaction(connection, erasure.ids, erasure.other_ids)
        sync_log = redact_sync_log(conn, connection, redaction.notes)
        dagster = redact_rows(conn, connection, erasure.ids, redaction.event)
        # Before the commit, because it deletes the ids: a second try would not know what to look for in the files.
        files = redact_files(settings, runs_of_others(conn, connection), redaction.masked)
        stale = tables_with_statistics_of(conn, erasure.ids)
    tables = [(SCHEMA, table) for table in (*SLICE_TABLES, *VERSION_TABLES, "employees", "syncs", "audit_log")]
    tables += [(DAGSTER_SCHEMA, table) for table in sorted(stale | dagster.keys())]
    removed = {
        **{f"{SCHEMA}.{table}": rows for table, rows in erasure.rows.items()},
        f"{SCHEMA}.subgoals, owner only": erasure.disowned,
        f"{SCHEMA}.syncs, ids and digests": sync_log,
        f"{SCHEMA}.employees, manager only": erasure.unmanaged,
        f"{SCHEMA}.audit_log, ids only": erasure.audited,
        **{f"{DAGSTER_SCHEMA}.{table}, ids only": rows for table, rows in dagster.items()},
        "files of runs, ids only": files,
    }
    try:
        vacuum(database, connection, tables)
    except GoalsStoreError as error:
        # Returned, because the person is erased all the same.
        return ErasedPerson(erasure, removed, error)
    return ErasedPerson(erasure, removed, None)
