"""The table `employees`: each connection's roster."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import class_row

from perfcopilot_goals.core.roster import shared_gids
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import driver
from perfcopilot_goals.storage.erased import read_erased
from perfcopilot_goals.storage.locks import lock_roster

_TABLE = sql.Identifier(SCHEMA, "employees")


@dataclass(frozen=True)
class Imported:
    """How many employees an import added, changed and left as they were. The `erased` ones were not imported."""

    added: int
    changed: int
    unchanged: int
    erased: int = 0


def read_employees(conn: sa.Connection, connection: str) -> list[Employee]:
    """The roster, by employee id."""
    query = sql.SQL(
        "select employee_id, full_name, email, asana_user_gid, manager_email from {} where connection = %s "
        'order by employee_id collate "C"'
    ).format(_TABLE)
    with driver(conn).cursor(row_factory=class_row(Employee)) as cursor:
        return cursor.execute(query, [connection]).fetchall()


def read_mapping(conn: sa.Connection, connection: str) -> dict[str, str | None]:
    """Each employee's Asana user, None for the unmapped, by employee id."""
    query = sql.SQL("select employee_id, asana_user_gid from {} where connection = %s").format(_TABLE)
    return dict(driver(conn).execute(query, [connection]).fetchall())


def import_employees(conn: sa.Connection, connection: str, employees: Iterable[Employee]) -> Imported:
    """Add or change these employees and leave the others: all of them, or none and a `GoalsConfigError`.

    An employee who has an id of an erased person is not stored again.
    """
    erased = read_erased(conn, connection)
    before = {row.employee_id: row for row in read_employees(conn, connection)}
    named = {row.employee_id: row for row in employees}
    given = {key: erased.without_manager(row) for key, row in named.items() if not erased.has_person(row)}
    _check_unique(connection, before | given)
    new = [row for key, row in given.items() if key not in before]
    changed = [row for key, row in given.items() if key in before and before[key] != row]
    query = sql.SQL(
        "insert into {} (connection, employee_id, full_name, email, asana_user_gid, manager_email, updated_at) "
        "values (%s, %s, %s, %s, %s, %s, now()) on conflict (connection, employee_id) do update set "
        "full_name = excluded.full_name, email = excluded.email, asana_user_gid = excluded.asana_user_gid, "
        "manager_email = excluded.manager_email, updated_at = excluded.updated_at, asana_gone_at = case when "
        "employees.asana_user_gid = excluded.asana_user_gid then employees.asana_gone_at end, "
        # A conflict with the old e-mail or the old user says nothing about the new one.
        "mapping_conflict = case when employees.asana_user_gid = excluded.asana_user_gid "
        "and employees.email = excluded.email then employees.mapping_conflict end"
    ).format(_TABLE)
    rows = [(connection, r.employee_id, r.full_name, r.email, r.asana_user_gid, r.manager_email) for r in new + changed]
    with driver(conn).cursor() as cursor:
        cursor.executemany(query, rows)
    return Imported(len(new), len(changed), len(given) - len(new) - len(changed), len(named) - len(given))


def remove_employees(conn: sa.Connection, connection: str, employee_ids: Iterable[str]) -> int:
    """Take these employees off the roster; returns how many were on it. The next sync drops their goals and blocks."""
    query = sql.SQL("delete from {} where connection = %s and employee_id = any(%s)").format(_TABLE)
    return driver(conn).execute(query, [connection, list(employee_ids)]).rowcount


def note_users(conn: sa.Connection, connection: str, gids: Collection[str]) -> list[str]:
    """Record which employees' users are gone, and since when; returns those employees. `gids` are the workspace's."""
    driver(conn).execute(
        sql.SQL(
            "update {} set asana_gone_at = case when asana_gone_at is null then now() end "
            "where connection = %s and (asana_user_gid = any(%s)) = (asana_gone_at is not null)"
        ).format(_TABLE),
        [connection, list(gids)],
    )
    query = sql.SQL(
        "select employee_id from {} where connection = %s and asana_gone_at is not null "
        'order by employee_id collate "C"'
    ).format(_TABLE)
    return [employee_id for (employee_id,) in driver(conn).execute(query, [connection]).fetchall()]


def map_employee(conn: sa.Connection, connection: str, employee_id: str, gid: str | None) -> None:
    """Map the employee to an Asana user, or unmap them with None."""
    lock_roster(conn, connection)
    if read_erased(conn, connection).has_user(gid):
        raise GoalsConfigError(
            "this Asana user was erased and cannot be mapped; nothing was changed", connection=connection
        )
    roster = {row.employee_id: row for row in read_employees(conn, connection)}
    if employee_id not in roster:
        raise no_such_employee(connection, employee_id)
    row = roster[employee_id]
    if row.asana_user_gid != gid:
        import_employees(conn, connection, [replace(row, asana_user_gid=gid)])


def map_unmapped(conn: sa.Connection, connection: str, gid_of: Mapping[str, str]) -> int:
    """Map the employees that are still unmapped; returns how many. `gid_of` is the user by employee id."""
    query = sql.SQL(
        "update {} e set asana_user_gid = given.gid, updated_at = now() "
        "from unnest(%s::text[], %s::text[]) as given (employee_id, gid) "
        "where e.connection = %s and e.employee_id = given.employee_id and e.asana_user_gid is null"
    ).format(_TABLE)
    return driver(conn).execute(query, [list(gid_of), list(gid_of.values()), connection]).rowcount


def no_such_employee(connection: str, employee_id: str, outcome: str = "") -> GoalsConfigError:
    """The error for an id that is not on the roster; `outcome` is what came of it."""
    return GoalsConfigError(
        f"connection {{connection}} has no employee {employee_id[:80]!r}{outcome}",
        connection=connection,
        action="perfcopilot-goals employee list {connection} shows the roster",
    )


def _check_unique(connection: str, roster: dict[str, Employee]) -> None:
    doubled = [f"{gid} by {' and '.join(sorted(ids))}" for gid, ids in shared_gids(roster.values()).items()]
    if doubled:
        raise GoalsConfigError(
            f"nothing was changed: an Asana user can be one employee only, and these are claimed twice: "
            f"{'; '.join(doubled[:10])}",
            connection=connection,
            action="Unmap one: perfcopilot-goals employee unmap {connection} EMPLOYEE",
        )
