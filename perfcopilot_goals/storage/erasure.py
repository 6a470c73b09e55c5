"""One person taken out of the product's own tables.

Which rows are a person's is said here. What Dagster keeps of them is taken out in `dagster_rows`, what stands in files
in `local_files`; who was erased stays in `erased`, as digests.
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
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import read_employees
from perfcopilot_goals.storage.erased import known_by, read_erased, remember_erased
from perfcopilot_goals.storage.users_check import forget_users_check

_TABLES = {name: sql.Identifier(SCHEMA, name) for name in (*SLICE_TABLES, "employees", "syncs")}
# Ids in the tables that hold goals: where one of these stands after an erasure, it is somebody else's as well.
_STANDING = """
select goal_gid from {raw_workspace_goals} where connection = %(connection)s and goal_gid = any(%(gids)s)
union select subgoal_gid from {subgoals} where connection = %(connection)s and subgoal_gid = any(%(gids)s)
union select row_gid from {mapped_goal_rows} where connection = %(connection)s and row_gid = any(%(gids)s)
union select goal_gid from {mapped_goal_rows} where connection = %(connection)s and goal_gid = any(%(gids)s)
"""


@dataclass(frozen=True)
class Erasure:
    """What was taken out: rows by table, sub-goals that lost their owner, employees who lost their manager's address,
    and the ids that may stand elsewhere.

    `other_ids` are those of the people who stay. `is_unmapped`: it was not known who they are in Asana, so goals of
    theirs, if there are any, could not be told from others'. `is_email_shared`: somebody else has the same address, so
    it does not bar anybody.
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

    Of one who was erased before only the id is left to look for, in what a sync that was under way has noted since.
    Holds the connection's lock until the transaction ends. A sync that has fetched by then is refused when it writes.
    """
    erased = read_erased(conn, connection)
    roster = {row.employee_id: row for row in read_employees(conn, connection)}
    others = {i for row in roster.values() for i in (row.employee_id, row.asana_user_gid) if i} - {employee_id}
    if employee_id not in roster and erased.has_employee(employee_id):
        return Erasure({}, 0, frozenset({employee_id}), frozenset(others), False, False, 0)
    if employee_id not in roster:
        raise GoalsConfigError(
            f"connection {{connection}} has no employee {employee_id[:80]!r}, so nothing was erased",
            connection=connection,
            action="Look at the roster: perfcopilot-goals employee list {connection}",
        )
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
    status = sql.SQL(_STANDING).format(**_TABLES)
    gids -= {gid for (gid,) in driver(conn).execute(status, {"connection": connection, "gids": sorted(gids)})}
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
    """What the connection's syncs noted, without the ids; returns how many of them had noted one."""
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
    """Have Postgres drop what it keeps of rows that are gone: dead rows, and values in the planner's statistics."""
    with database.connect("cleaning up after an erasure", autocommit=True) as conn:
        for schema, table in tables:
            driver(conn).execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(schema, table)))


def _remember(conn: sa.Connection, connection: str, person: Employee, others: list[Employee]) -> bool:
    """Leave the digests. A mailbox that is a colleague's too must not keep the colleague out; returns if it is."""
    ids = dict(known_by(person))
    is_shared = "email" in ids and any(known_by(other).get("email") == ids["email"] for other in others)
    if is_shared:
        del ids["email"]
    remember_erased(conn, connection, ids)
    return is_shared


def _unmanage(conn: sa.Connection, connection: str, person: Employee, others: list[Employee]) -> int:
    """Take the person's address from those who have it as their manager's; returns how many did."""
    address = address_of(person.email)
    reports = [e.employee_id for e in others if address and address_of(e.manager_email) == address]
    query = sql.SQL(
        "update {} set manager_email = null, updated_at = now() where connection = %s and employee_id = any(%s)"
    ).format(_TABLES["employees"])
    return driver(conn).execute(query, [connection, reports]).rowcount


def _their_gids(conn: sa.Connection, values: dict[str, Any]) -> tuple[list[str], set[str]]:
    """The goals that are the person's, and these with all that stands under them."""
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
