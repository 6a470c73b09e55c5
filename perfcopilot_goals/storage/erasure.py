"""Removes one person from the product's own tables.

Here stands which rows are a person's. `dagster_rows` removes what Dagster keeps of them, `local_files` what files hold,
and `erased` keeps digests of who was erased.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb

from perfcopilot_goals.core.similarity import address_of
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import no_such_employee, read_employees
from perfcopilot_goals.storage.erased import known_by, read_erased, remember_erased
from perfcopilot_goals.storage.users_check import forget_users_check

_TABLES = {name: sql.Identifier(SCHEMA, name) for name in (*SLICE_TABLES, "employees", "syncs")}
# Which of these goals are still stored. A goal that is left after the erasure is somebody else's as well.
_LEFT = """
select goal_gid from {raw_workspace_goals} where connection = %(connection)s and goal_gid = any(%(gids)s)
union select subgoal_gid from {subgoals} where connection = %(connection)s and subgoal_gid = any(%(gids)s)
union select row_gid from {mapped_goal_rows} where connection = %(connection)s and row_gid = any(%(gids)s)
union select goal_gid from {mapped_goal_rows} where connection = %(connection)s and goal_gid = any(%(gids)s)
"""


@dataclass(frozen=True)
class Erasure:
    """What an erasure removed, and what may be left of the person elsewhere.

    `rows` are the deleted rows by table. `disowned` sub-goals lost their owner, and `unmanaged` employees their
    manager's address. `ids` are the person's and may stand in other places; `other_ids` are those of the people who
    stay. `is_unmapped`: they had no Asana user, so any goals of theirs could not be told from others'.
    `is_email_shared`: somebody else has the same address, so it keeps nobody out.
    """

    rows: dict[str, int]
    disowned: int
    ids: frozenset[str]
    other_ids: frozenset[str]
    is_unmapped: bool
    is_email_shared: bool
    running_syncs: int
    unmanaged: int = 0


def erase_employee(conn: sa.Connection, connection: str, employee_id: str) -> Erasure:
    """Delete the employee's rows and leave digests of their ids; `GoalsConfigError` if there is no such employee.

    If they were erased before, only their id is left to look for: a sync that was under way may have recorded it since.
    Holds the connection's lock until the transaction ends. A sync that has fetched by then is refused when it writes.
    """
    erased = read_erased(conn, connection)
    roster = {row.employee_id: row for row in read_employees(conn, connection)}
    others = {i for row in roster.values() for i in (row.employee_id, row.asana_user_gid) if i} - {employee_id}
    if employee_id not in roster and erased.has_employee(employee_id):
        return Erasure({}, 0, frozenset({employee_id}), frozenset(others), False, False, 0)
    if employee_id not in roster:
        raise no_such_employee(connection, employee_id, ", so nothing was erased")
    person = roster.pop(employee_id)
    values: dict[str, Any] = {"connection": connection, "employee_id": employee_id, "gid": person.asana_user_gid}
    values["goals"], gids = _their_gids(conn, values)
    rows = {
        "raw_workspace_goals": _delete(conn, values, "raw_workspace_goals", "owner_gid = %(gid)s"),
        "owned_goals": _delete(conn, values, "owned_goals", "employee_id = %(employee_id)s"),
        "subgoals": _delete(conn, values, "subgoals", "goal_gid = any(%(goals)s)"),
        "mapped_goal_rows": _delete(conn, values, "mapped_goal_rows", "employee_id = %(employee_id)s"),
        "prompt_blocks": _delete(conn, values, "prompt_blocks", "employee_id = %(employee_id)s"),
        "employees": _delete(conn, values, "employees", "employee_id = %(employee_id)s"),
    }
    disown = "update {} set owner_gid = null where connection = %(connection)s and owner_gid = %(gid)s"
    disowned = driver(conn).execute(sql.SQL(disown).format(_TABLES["subgoals"]), values).rowcount
    is_shared = _remember(conn, connection, person, list(roster.values()))
    unmanaged = 0 if is_shared else _unmanage(conn, connection, person, list(roster.values()))
    forget_users_check(conn, connection)
    left = sql.SQL(_LEFT).format(**_TABLES)
    gids -= {gid for (gid,) in driver(conn).execute(left, {"connection": connection, "gids": sorted(gids)})}
    running = sql.SQL("select count(*) from {} where connection = %(connection)s and state = 'running'")
    (running_syncs,) = driver(conn).execute(running.format(_TABLES["syncs"]), values).fetchone() or (0,)
    theirs = {employee_id, *([person.asana_user_gid] if person.asana_user_gid else [])}
    return Erasure(
        rows,
        disowned,
        ids=frozenset(theirs | gids),
        other_ids=frozenset(others - theirs),
        is_unmapped=person.asana_user_gid is None,
        is_email_shared=is_shared,
        running_syncs=running_syncs,
        unmanaged=unmanaged,
    )


def redact_sync_log(conn: sa.Connection, connection: str, redact: Callable[[Any], Any]) -> int:
    """Rewrite what the connection's syncs recorded by `redact`; returns how many of them changed."""
    read = sql.SQL("select run_id, counts from {} where connection = %s").format(_TABLES["syncs"])
    write = sql.SQL("update {} set counts = %s where connection = %s and run_id = %s").format(_TABLES["syncs"])
    changed = 0
    for run_id, counts in driver(conn).execute(read, [connection]).fetchall():
        redacted = redact(counts)
        if redacted != counts:
            driver(conn).execute(write, [Jsonb(redacted), connection, run_id])
            changed += 1
    return changed


def vacuum(database: Database, tables: list[tuple[str, str]]) -> None:
    """Have Postgres drop what it still keeps of deleted rows: dead rows, and values in the planner's statistics."""
    with database.connect("cleaning up after an erasure", autocommit=True) as conn:
        for schema, table in tables:
            driver(conn).execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(schema, table)))


def _remember(conn: sa.Connection, connection: str, person: Employee, others: list[Employee]) -> bool:
    """Leave the digests, without an e-mail that a colleague shares: it would keep them out. Returns if it is shared."""
    ids = dict(known_by(person))
    is_shared = "email" in ids and any(known_by(other).get("email") == ids["email"] for other in others)
    if is_shared:
        del ids["email"]
    remember_erased(conn, connection, ids)
    return is_shared


def _unmanage(conn: sa.Connection, connection: str, person: Employee, others: list[Employee]) -> int:
    """Remove the person's address from the employees whose manager they are; returns how many that were."""
    address = address_of(person.email)
    reports = [e.employee_id for e in others if address and address_of(e.manager_email) == address]
    query = sql.SQL(
        "update {} set manager_email = null, updated_at = now() where connection = %s and employee_id = any(%s)"
    ).format(_TABLES["employees"])
    return driver(conn).execute(query, [connection, reports]).rowcount


def _their_gids(conn: sa.Connection, values: dict[str, Any]) -> tuple[list[str], set[str]]:
    """The person's goals, and the same with everything below them."""
    goals = _gids(conn, values, "raw_workspace_goals", "goal_gid", "owner_gid = %(gid)s")
    for table in ("owned_goals", "mapped_goal_rows"):
        goals |= _gids(conn, values, table, "goal_gid", "employee_id = %(employee_id)s")
    below = _gids(conn, values | {"goals": list(goals)}, "subgoals", "subgoal_gid", "goal_gid = any(%(goals)s)")
    below |= _gids(conn, values, "mapped_goal_rows", "row_gid", "employee_id = %(employee_id)s")
    return sorted(goals), goals | below


def _gids(conn: sa.Connection, values: dict[str, Any], table: str, column: str, condition: str) -> set[str]:
    query = sql.SQL("select {} from {} where connection = %(connection)s and {}").format(
        sql.Identifier(column), _TABLES[table], sql.SQL(condition)
    )
    return {gid for (gid,) in driver(conn).execute(query, values)}


def _delete(conn: sa.Connection, values: dict[str, Any], table: str, condition: str) -> int:
    query = sql.SQL("delete from {} where connection = %(connection)s and {}").format(
        _TABLES[table], sql.SQL(condition)
    )
    return driver(conn).execute(query, values).rowcount
