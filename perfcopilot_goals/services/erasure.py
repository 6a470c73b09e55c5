"""A person erased from everything that is kept: our tables, Dagster's, the sync log, the files that runs print to."""

from dataclasses import dataclass

from perfcopilot_goals.core.erasure import Redaction
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.dagster_rows import redact_rows, runs_of_others
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, SCHEMA, Database
from perfcopilot_goals.storage.erasure import Erasure, erase_employee, redact_sync_log, vacuum
from perfcopilot_goals.storage.local_files import redact_files


@dataclass(frozen=True)
class ErasedPerson:
    """What was erased, and how much of it by place."""

    erasure: Erasure
    removed: dict[str, int]


def erase_person(database: Database, settings: Settings, connection: str, employee_id: str) -> ErasedPerson:
    """Erase the employee in one transaction, files last, and have Postgres drop the dead rows.

    `GoalsConfigError` if the connection has no such employee.
    """
    with database.connect("erasing an employee") as transaction:
        erasure = erase_employee(transaction, connection, employee_id)
        redaction = Redaction(connection, erasure.ids, erasure.other_ids)
        sync_log = redact_sync_log(transaction, connection, redaction.notes)
        dagster = redact_rows(transaction, connection, erasure.ids, redaction.event)
        # Before the commit: after it nobody knows the ids any more, and a second try would find nothing to look for.
        files = redact_files(settings, runs_of_others(transaction, connection), redaction.masked)
    vacuum(database, [(SCHEMA, table) for table in (*erasure.rows, "syncs")] + [(DAGSTER_SCHEMA, t) for t in dagster])
    removed = {f"{SCHEMA}.{table}": rows for table, rows in erasure.rows.items()}
    removed |= {f"{SCHEMA}.subgoals, owner only": erasure.disowned, f"{SCHEMA}.syncs, ids only": sync_log}
    removed |= {f"{SCHEMA}.employees, manager only": erasure.unmanaged}
    removed |= {f"{DAGSTER_SCHEMA}.{table}, ids only": rows for table, rows in dagster.items()}
    return ErasedPerson(erasure, removed | {"files of runs, ids only": files})
