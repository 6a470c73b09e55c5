"""The table `employees`: each connection's roster."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.core.roster import shared_gids
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import any_of, ordered, sql_table
from perfcopilot_goals.storage.erased import read_erased
from perfcopilot_goals.storage.locks import lock_roster
from perfcopilot_goals.storage.versions import withdraw_employees

_EMPLOYEES = sql_table("employees")
_FIELDS = [f.name for f in fields(Employee)]


def read_employees(conn: sa.Connection, connection: str) -> list[Employee]:
    """The roster, by employee id."""
    e = _EMPLOYEES.c
    query = sa.select(*(e[name] for name in _FIELDS)).where(e.connection == connection).order_by(ordered(e.employee_id))
    return [Employee(*row) for row in conn.execute(query)]


def read_rosters(conn: sa.Connection) -> dict[str, list[Employee]]:
    """The roster of every connection that has one."""
    e = _EMPLOYEES.c
    rosters: dict[str, list[Employee]] = {}
    for connection, *row in conn.execute(sa.select(e.connection, *(e[name] for name in _FIELDS))):
        rosters.setdefault(connection, []).append(Employee(*row))
    return rosters


def read_mapping(conn: sa.Connection, connection: str) -> dict[str, str | None]:
    """Each employee's Asana user, None for the unmapped, by employee id."""
    e = _EMPLOYEES.c
    rows = conn.execute(sa.select(e.employee_id, e.asana_user_gid).where(e.connection == connection))
    return dict(rows.tuples().all())


def has_employees(conn: sa.Connection, connection: str) -> bool:
    """Whether the roster has anybody."""
    return bool(conn.scalar(sa.select(sa.exists().where(_EMPLOYEES.c.connection == connection))))


def import_employees(conn: sa.Connection, connection: str, employees: Iterable[Employee]) -> None:
    """Add or change these employees and leave the others: all of them, or none and a `GoalsConfigError`.

    An employee who has an id of an erased person is not stored again. One who is unmapped, or mapped to another Asana
    user, loses block and goal rows: they may be somebody else's goals.
    """
    erased = read_erased(conn, connection)
    before = {row.employee_id: row for row in read_employees(conn, connection)}
    given = {row.employee_id: erased.without_manager(row) for row in employees if not erased.has_person(row)}
    _check_unique(connection, before | given)
    _store(conn, connection, [row for key, row in given.items() if before.get(key) != row])
    user_of = {key: row.asana_user_gid for key, row in before.items() if row.asana_user_gid}
    moved = [key for key, row in given.items() if key in user_of and row.asana_user_gid != user_of[key]]
    withdraw_employees(conn, connection, moved)


def remove_employees(conn: sa.Connection, connection: str, employee_ids: Iterable[str]) -> None:
    """Take these employees off the roster, with their blocks and goal rows."""
    e = _EMPLOYEES.c
    gone = list(employee_ids)
    withdraw_employees(conn, connection, gone)
    conn.execute(sa.delete(_EMPLOYEES).where(e.connection == connection, e.employee_id == any_of(gone)))


def map_employee(conn: sa.Connection, connection: str, employee_id: str, gid: str | None) -> str | None:
    """Map the employee to an Asana user, or unmap them with None; returns the user that they were mapped to before."""
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
    return row.asana_user_gid


def map_unmapped(conn: sa.Connection, connection: str, gid_of: Mapping[str, str]) -> int:
    """Map the employees that are still unmapped; returns how many. `gid_of` is the user by employee id."""
    e = _EMPLOYEES.c
    update = (
        sa.update(_EMPLOYEES)
        .where(e.connection == connection, e.employee_id == sa.bindparam("of"), e.asana_user_gid.is_(None))
        .values(asana_user_gid=sa.bindparam("gid"), updated_at=sa.func.now())
    )
    given = [{"of": employee_id, "gid": gid} for employee_id, gid in gid_of.items()]
    return conn.execute(update, given).rowcount if given else 0


def _store(conn: sa.Connection, connection: str, employees: Sequence[Employee]) -> None:
    e = _EMPLOYEES.c
    row = postgresql.insert(_EMPLOYEES).values(connection=connection, updated_at=sa.func.now())
    given = row.excluded
    changes: dict[str, Any] = {name: given[name] for name in (*_FIELDS, "updated_at")}
    is_same_user, is_same_email = e.asana_user_gid == given.asana_user_gid, e.email == given.email
    changes["asana_gone_at"] = sa.case((is_same_user, e.asana_gone_at))
    # A conflict with the old e-mail or the old user says nothing about the new one.
    changes["mapping_conflict"] = sa.case((sa.and_(is_same_user, is_same_email), e.mapping_conflict))
    upsert = row.on_conflict_do_update(index_elements=[e.connection, e.employee_id], set_=changes)
    if employees:
        conn.execute(upsert, [asdict(employee) for employee in employees])


def no_such_employee(connection: str, employee_id: str, outcome: str = "") -> GoalsConfigError:
    """The error for an id that is not on the roster; `outcome` says what came of it."""
    return GoalsConfigError(
        f"connection {{connection}} has no employee {employee_id[:80]!r}{outcome}",
        connection=connection,
        action="Look at the roster: perfcopilot-goals employee list {connection}",
    )


def _check_unique(connection: str, roster: dict[str, Employee]) -> None:
    doubled = [f"{gid} by {' and '.join(sorted(ids))}" for gid, ids in shared_gids(roster.values()).items()]
    if doubled:
        raise GoalsConfigError(
            f"nothing was changed: an Asana user can be one employee only, and these are claimed twice: "
            f"{'; '.join(doubled[:10])}",
            connection=connection,
            action="Unlink one: perfcopilot-goals employee unmap {connection} EMPLOYEE",
        )
