"""The stored blocks, as they go into a review's prompt now, or as readers got them earlier; and the goals."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.core.history import HistoryEntry, describe_history, format_instant, parse_as_of
from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.domain.sync import Sync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.blocks import Goal, StoredBlock, no_block, read_block, read_goals
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import no_such_employee
from perfcopilot_goals.storage.roster import Person, read_person
from perfcopilot_goals.storage.sync_log import read_unfinished_sync
from perfcopilot_goals.storage.versions import read_block_version_at, read_block_versions, read_present

# Named here for the rooms that may not import storage.
__all__ = ["StoredBlock"]


@dataclass(frozen=True)
class PastBlock:
    """The version that readers got at `as_of`.

    If the day that was asked for is not over, that is the present one, and `present` is what `find_prompt` gives.
    """

    version: BlockVersion
    as_of: dt.datetime
    present: tuple[StoredBlock, Sync | None] | None

    @property
    def is_so_far(self) -> bool:
        """Whether the day that was asked for is not over."""
        return self.present is not None


@dataclass(frozen=True)
class EmployeeGoals:
    """An employee, their goals and block, and what a reader should know about them.

    `block` is None if there is none; the person's reason then says why. `unfinished` is the connection's latest sync if
    it failed, runs or was killed, so that all of this is an earlier one's.
    """

    person: Person
    goals: list[Goal]
    block: StoredBlock | None
    unfinished: Sync | None


def find_prompt(database: Database, connection: str, employee_id: str) -> tuple[StoredBlock, Sync | None]:
    """The employee's block; `GoalsConfigError` says why there is none.

    Beside it the connection's latest sync if it failed, runs or was killed, so that the block is an earlier one's.
    """
    with database.connect("reading the block", snapshot=True) as conn:
        read_connection(conn, connection)
        return _read_present(conn, connection, employee_id)


def find_goals(database: Database, connection: str, employee_id: str) -> EmployeeGoals:
    """The employee's goals, all as of one moment; `GoalsConfigError` if there is no such employee."""
    with database.connect("reading the goals", snapshot=True) as conn:
        person = read_person(conn, connection, employee_id)
        if person is None:
            raise no_such_employee(connection, employee_id)
        block = read_block(conn, connection, employee_id) if person.synced_at else None
        # Without a block there may still be goals of an earlier sync, from before the employee was unmapped.
        goals = read_goals(conn, connection, employee_id) if block else []
        return EmployeeGoals(person, goals, block, read_unfinished_sync(conn, connection))


def find_past_block(database: Database, connection: str, employee_id: str, when: str) -> PastBlock:
    """The block that readers got then; `GoalsConfigError` says why there is none, or that `when` is not understood.

    Of a day that is not over, it is the present block.
    """
    asked = parse_as_of(when)
    with database.connect("reading the block's history", snapshot=True) as conn:
        read_connection(conn, connection)
        present = read_present(conn, connection)
        is_so_far = asked.day_began is not None and asked.day_began <= present < asked.instant
        as_of = present if is_so_far else asked.instant
        if as_of > present:
            raise GoalsConfigError(
                f"{format_instant(as_of)} is still to come; by the database's clock it is {format_instant(present)}",
                connection=connection,
                action=f"For the present block: perfcopilot-goals prompt {connection} {employee_id}",
            )
        version = read_block_version_at(conn, connection, employee_id, as_of)
        if version is None:
            raise _no_version(conn, connection, employee_id, as_of)
        return PastBlock(version, as_of, _read_present(conn, connection, employee_id) if is_so_far else None)


def list_versions(database: Database, connection: str, employee_id: str) -> list[HistoryEntry]:
    """The kept versions of the employee's block, the oldest first; `GoalsConfigError` says why there are none."""
    with database.connect("reading the block's history", snapshot=True) as conn:
        read_connection(conn, connection)
        versions = read_block_versions(conn, connection, employee_id)
        if not versions:
            raise no_block(conn, connection, employee_id)
        return describe_history(versions)


def _read_present(conn: sa.Connection, connection: str, employee_id: str) -> tuple[StoredBlock, Sync | None]:
    return read_block(conn, connection, employee_id), read_unfinished_sync(conn, connection)


def _no_version(conn: sa.Connection, connection: str, employee_id: str, as_of: dt.datetime) -> GoalsConfigError:
    """The error that says why readers got no block of the employee then, as far as that is known."""
    kept = read_block_versions(conn, connection, employee_id)
    if not kept:
        return no_block(conn, connection, employee_id)
    versions = f"perfcopilot-goals prompt {connection} {employee_id} --history"
    since = kept[0].visible_from
    if as_of < since:
        return GoalsConfigError(
            f"there is history of the block of employee {employee_id} since {format_instant(since)}; what readers got "
            f"at {format_instant(as_of)} is not known",
            connection=connection,
            action=f"Ask for that moment or a later one; all versions: {versions}",
        )
    until = max(version.visible_to for version in kept if version.visible_to and version.visible_to <= as_of)
    later = next((version.visible_from for version in kept if version.visible_from > as_of), None)
    again = f", the next one since {format_instant(later)}" if later else ""
    return GoalsConfigError(
        f"employee {employee_id} had no block at {format_instant(as_of)}: the one before was there until "
        f"{format_instant(until)}{again}",
        connection=connection,
        action=f"All versions: {versions}",
    )
