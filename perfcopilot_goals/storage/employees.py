"""The table `employees`: each connection's roster. And whom not to store again, without saying who they are.

An erased person could come back by one of their ids, so `erased` has a keyed hash of each, and `erasure_keys` the keys.
How somebody is removed is in `erasure`.
"""

import datetime as dt
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.core.roster import shared_gids
from perfcopilot_goals.domain.employee import Employee, address_of
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import any_of, ordered, sql_table
from perfcopilot_goals.storage.locks import lock_roster, lock_slices
from perfcopilot_goals.storage.versions import withdraw_employees

_EMPLOYEES = sql_table("employees")
_ERASED = sql_table("erased")
_KEYS = sql_table("erasure_keys")
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


@dataclass(frozen=True)
class Erased:
    """The erased people of a connection. Its methods say whether somebody is one of them."""

    connection: str
    key: str
    digests: frozenset[tuple[str, str]]

    def has_user(self, gid: str | None) -> bool:
        """Whether this is the Asana user of an erased person."""
        return gid is not None and self._has("asana_user_gid", gid)

    def has_employee(self, employee_id: str) -> bool:
        """Whether this is the employee id of an erased person."""
        return self._has("employee_id", employee_id)

    def has_person(self, employee: Employee) -> bool:
        """Whether one of the employee's ids is that of an erased person."""
        return any(self._has(kind, value) for kind, value in known_by(employee).items())

    def without_manager(self, employee: Employee) -> Employee:
        """The employee, without the address of a manager who was erased."""
        address = address_of(employee.manager_email)
        return replace(employee, manager_email=None) if address and self._has("email", address) else employee

    def _has(self, kind: str, value: str) -> bool:
        # As a rule nobody was erased, and a large roster need not be hashed.
        return bool(self.digests) and (kind, _digest(self.key, self.connection, kind, value)) in self.digests


def known_by(employee: Employee) -> Mapping[str, str]:
    """The ids that a person could come back by, by kind. An empty one identifies nobody and is left out."""
    address = address_of(employee.email)
    ids = {"employee_id": employee.employee_id, "asana_user_gid": employee.asana_user_gid, "email": address}
    return {kind: value for kind, value in ids.items() if value}


def read_erased(conn: sa.Connection, connection: str) -> Erased:
    """The connection's erased people.

    Takes the connection's lock until the transaction ends, and so waits for an erasure that is under way. What is read
    or fetched after this either knows of an erasure, or is older than it and is refused when written.
    """
    lock_slices(conn, connection)
    c = _ERASED.c
    rows = conn.execute(sa.select(c.kind, c.digest).where(c.connection == connection))
    return Erased(connection, _read_key(conn, connection) or "", frozenset((kind, digest) for kind, digest in rows))


def has_erasure_since(conn: sa.Connection, connection: str, moment: dt.datetime) -> bool:
    """Whether somebody of the connection was erased at that moment or later."""
    c = _ERASED.c
    return bool(conn.scalar(sa.select(sa.exists().where(c.connection == connection, c.erased_at >= moment))))


def remember_erased(conn: sa.Connection, connection: str, ids: Mapping[str, str]) -> None:
    """Record the ids, by kind, as those of an erased person. The caller holds the connection's lock."""
    key = _read_key(conn, connection)
    if key is None:
        key = secrets.token_hex(32)
        conn.execute(sa.insert(_KEYS).values(connection=connection, key=key))
    c = _ERASED.c
    # The clock's time, because the transaction may have begun long before it got the lock.
    row = postgresql.insert(_ERASED).values(connection=connection, erased_at=sa.func.clock_timestamp())
    record = row.on_conflict_do_update(
        index_elements=[c.connection, c.kind, c.digest], set_={"erased_at": row.excluded.erased_at}
    )
    digests = [{"kind": kind, "digest": _digest(key, connection, kind, value)} for kind, value in ids.items()]
    if digests:
        conn.execute(record, digests)


def _read_key(conn: sa.Connection, connection: str) -> str | None:
    key: str | None = conn.scalar(sa.select(_KEYS.c.key).where(_KEYS.c.connection == connection))
    return key


def _digest(key: str, connection: str, kind: str, value: str) -> str:
    # Neither a connection's name nor a kind has a line feed, so two different ids never hash the same text.
    return hmac.digest(bytes.fromhex(key), f"{connection}\n{kind}\n{value}".encode(), "sha256").hex()
