"""Removes one person from the product's own tables.

This module says which rows are a person's. `dagster_history` removes what Dagster and its files keep of them.
`employees` keeps digests of who was erased.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.domain.employee import Employee, address_of
from perfcopilot_goals.domain.sync import SLICE_TABLES, VERSION_TABLES
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import any_of, sql_table
from perfcopilot_goals.storage.audit_log import redact_audit_log
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import known_by, no_such_employee, read_employees, read_erased, remember_erased
from perfcopilot_goals.storage.users_check import forget_users_check

_RAW, _OWNED, _SUBGOALS, _MAPPED, _BLOCKS = map(sql_table, SLICE_TABLES)
_BLOCK_VERSIONS, _GOAL_VERSIONS = map(sql_table, VERSION_TABLES)
_EMPLOYEES = sql_table("employees")
_SYNCS = sql_table("syncs")

# Values that every table takes, whatever its checks: `failed` is also a state of a sync.
_PLACEHOLDERS: dict[type, Any] = {
    str: "failed",
    int: 0,
    bool: False,
    dict: {},
    dt.date: dt.date.min,
    dt.datetime: dt.datetime.min.replace(tzinfo=dt.UTC),
}


@dataclass(frozen=True)
class Erasure:
    """What an erasure removed, and what may be left of the person elsewhere.

    `rows` are the deleted rows by table. `disowned` sub-goals lost their owner, and `unmanaged` employees their
    manager's address. `audited` entries of the audit log named them. `ids` are the person's and may stand in other
    places; `other_ids` are those of the people who stay. `is_unmapped`: they had no Asana user, so any goals of theirs
    could not be told from others'. `is_email_shared`: somebody else has the same address, so it keeps nobody out.
    """

    rows: dict[str, int]
    ids: frozenset[str]
    other_ids: frozenset[str]
    disowned: int = 0
    unmanaged: int = 0
    audited: int = 0
    running_syncs: int = 0
    is_unmapped: bool = False
    is_email_shared: bool = False


def erase_employee(conn: sa.Connection, connection: str, employee_id: str) -> Erasure:
    """Delete the employee's rows and leave digests of their ids; `GoalsConfigError` if there is no such employee.

    Somebody who is off the roster may still have versions; those go, too. If they were erased before, only their id is
    left to look for: a sync that was under way may have recorded it since.
    Holds the connection's lock until the transaction ends. A sync that has fetched by then is refused when it writes.
    """
    erased = read_erased(conn, connection)
    roster = {row.employee_id: row for row in read_employees(conn, connection)}
    others = {i for row in roster.values() for i in (row.employee_id, row.asana_user_gid) if i} - {employee_id}
    if employee_id not in roster and erased.has_employee(employee_id):
        audited = redact_audit_log(conn, connection, {employee_id})
        return Erasure({}, frozenset({employee_id}), frozenset(others), audited=audited)
    person = roster.pop(employee_id, None) or _former_employee(conn, connection, employee_id)
    if person is None:
        raise no_such_employee(connection, employee_id, ", so nothing was erased")
    goals, gids = _their_gids(conn, connection, person)
    rows = _delete_rows(conn, connection, person, goals)
    their_subgoals = (_SUBGOALS.c.connection == connection, _SUBGOALS.c.owner_gid == _user_of(person))
    disowned = conn.execute(sa.update(_SUBGOALS).where(*their_subgoals).values(owner_gid=None)).rowcount
    address = address_of(person.email)
    is_shared = address != "" and any(address_of(other.email) == address for other in roster.values())
    if is_shared:
        # Left out of everything below: kept as an erased person's, it would keep out whoever shares it.
        person, address = replace(person, email=""), ""
    remember_erased(conn, connection, known_by(person))
    unmanaged = _unmanage(conn, connection, address, roster.values())
    forget_users_check(conn, connection)
    gids -= _shared_gids(conn, connection, gids)
    running = sa.select(sa.func.count()).where(_SYNCS.c.connection == connection, _SYNCS.c.state == "running")
    theirs = {employee_id, _user_of(person)} - {""}
    return Erasure(
        rows,
        ids=frozenset(theirs | gids),
        other_ids=frozenset(others - theirs),
        disowned=disowned,
        unmanaged=unmanaged,
        running_syncs=conn.scalar(running) or 0,
        is_unmapped=person.asana_user_gid is None,
        is_email_shared=is_shared,
        audited=redact_audit_log(conn, connection, theirs, address),
    )


def _delete_rows(conn: sa.Connection, connection: str, person: Employee, goals: Collection[str]) -> dict[str, int]:
    """Delete the person's rows of every table, and the sub-goals of their goals; returns how many, by table."""
    conditions = {_RAW: _RAW.c.owner_gid == _user_of(person), _SUBGOALS: _SUBGOALS.c.goal_gid == any_of(goals)}
    rows = {}
    for table in (_RAW, _OWNED, _SUBGOALS, _MAPPED, _BLOCKS, _BLOCK_VERSIONS, _GOAL_VERSIONS, _EMPLOYEES):
        is_theirs = table.c.employee_id == person.employee_id if "employee_id" in table.c else conditions[table]
        rows[table.name] = conn.execute(sa.delete(table).where(table.c.connection == connection, is_theirs)).rowcount
    return rows


def redact_sync_log(conn: sa.Connection, connection: str, redact: Callable[[Any], Any]) -> int:
    """Rewrite what the connection's syncs recorded by `redact`; returns how many of them changed."""
    c = _SYNCS.c
    changed = 0
    syncs = conn.execute(sa.select(c.run_id, c.counts, c.receipt).where(c.connection == connection)).all()
    for run_id, counts, receipt in syncs:
        redacted = {"counts": redact(counts), "receipt": receipt and redact(receipt)}
        if redacted != {"counts": counts, "receipt": receipt}:
            this_sync = (c.connection == connection, c.run_id == run_id)
            conn.execute(sa.update(_SYNCS).where(*this_sync).values(redacted))
            changed += 1
    return changed


def vacuum(database: Database, connection: str, tables: list[tuple[str, str]]) -> None:
    """Have Postgres drop what it still keeps of deleted rows: dead rows, and values in the planner's statistics."""
    doing = "cleaning up after an erasure"
    for schema, table in tables:
        if schema == SCHEMA:
            with database.connect(doing) as conn:
                _renew_statistics_if_empty(conn, connection, table)
        with database.connect(doing, autocommit=True, maintenance=True) as conn:
            driver(conn).execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(schema, table)))


def _renew_statistics_if_empty(conn: sa.Connection, connection: str, name: str) -> None:
    """Replace an empty table's statistics: ANALYZE leaves those of an empty table as they were.

    They are renewed from a row that nobody else ever sees: it goes in the transaction that brings it. Until then nobody
    else writes to the table, so nothing else goes with it.
    """
    has_rows = sa.select(sa.exists().select_from(sql_table(name)))
    if conn.scalar(has_rows):
        return
    # Syncs that write queue up behind a lock that waits, so it waits for less time than they do.
    lock = sql.SQL("set local lock_timeout = '5s'; lock table {} in share row exclusive mode")
    driver(conn).execute(lock.format(sql.Identifier(SCHEMA, name)))
    if conn.scalar(has_rows):
        return
    table = sa.Table(name, sa.MetaData(), schema=SCHEMA, autoload_with=conn)
    row = {
        column.name: _PLACEHOLDERS[column.type.python_type]
        for column in table.columns
        if not column.nullable and column.server_default is None and column.identity is None
    }
    conn.execute(sa.insert(table).values(row | {"connection": connection}))
    driver(conn).execute(sql.SQL("analyze {}").format(sql.Identifier(SCHEMA, name)))
    conn.execute(sa.delete(table))


def _former_employee(conn: sa.Connection, connection: str, employee_id: str) -> Employee | None:
    """What is known of somebody who is off the roster and has versions: only the id. None if they have none."""
    has_versions = [
        sa.exists().where(table.c.connection == connection, table.c.employee_id == employee_id)
        for table in (_BLOCK_VERSIONS, _GOAL_VERSIONS)
    ]
    return Employee(employee_id, "", "", None) if conn.scalar(sa.select(sa.or_(*has_versions))) else None


def _unmanage(conn: sa.Connection, connection: str, address: str, others: Iterable[Employee]) -> int:
    """Remove the person's address from the employees whose manager they are; returns how many that were."""
    reports = [e.employee_id for e in others if address and address_of(e.manager_email) == address]
    e = _EMPLOYEES.c
    update = sa.update(_EMPLOYEES).where(e.connection == connection, e.employee_id == any_of(reports))
    return conn.execute(update.values(manager_email=None, updated_at=sa.func.now())).rowcount


def _their_gids(conn: sa.Connection, connection: str, person: Employee) -> tuple[set[str], set[str]]:
    """The person's goals, and the same with everything below them and what was theirs once."""
    goals = _gids(conn, connection, _RAW.c.goal_gid, _RAW.c.owner_gid == _user_of(person))
    for table in (_OWNED, _MAPPED):
        goals |= _gids(conn, connection, table.c.goal_gid, table.c.employee_id == person.employee_id)
    below = _gids(conn, connection, _SUBGOALS.c.subgoal_gid, _SUBGOALS.c.goal_gid == any_of(goals))
    for column in (_MAPPED.c.row_gid, _GOAL_VERSIONS.c.row_gid, _GOAL_VERSIONS.c.goal_gid):
        below |= _gids(conn, connection, column, column.table.c.employee_id == person.employee_id)
    return goals, goals | below


def _shared_gids(conn: sa.Connection, connection: str, gids: Collection[str]) -> set[str]:
    """The goals that are still in a table after the erasure: they are somebody else's as well."""
    columns = [_RAW.c.goal_gid, _SUBGOALS.c.subgoal_gid]
    columns += [column for table in (_MAPPED, _GOAL_VERSIONS) for column in (table.c.row_gid, table.c.goal_gid)]
    return set().union(*(_gids(conn, connection, column, column == any_of(gids)) for column in columns))


def _gids(conn: sa.Connection, connection: str, column: sa.Column[Any], condition: sa.ColumnElement[bool]) -> set[str]:
    return set(conn.scalars(sa.select(column).where(column.table.c.connection == connection, condition)))


def _user_of(person: Employee) -> str:
    """Their Asana user; without one the empty text, which owns nothing: the goals without an owner have null there."""
    return person.asana_user_gid or ""
