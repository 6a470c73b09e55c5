"""The roster as people read it: pages of it, whom the mapping lacks, and why each employee's block is as it is.

`employees` reads and changes the rows themselves.
"""

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.core.prompts import reason_now
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.schemas.tables import any_of, ordered, sql_table
from perfcopilot_goals.storage.blocks import read_incomplete_goals
from perfcopilot_goals.storage.sync_log import age_of, read_source

_RAW = "raw_workspace_goals"
_EMPLOYEES = sql_table("employees")
_BLOCKS = sql_table("prompt_blocks")


@dataclass(frozen=True)
class Page:
    """Which rows: this many after the first `offset` of those that a search finds. An empty search finds all."""

    limit: int
    offset: int = 0
    search: str = ""


@dataclass(frozen=True, kw_only=True)
class RosterRow(Employee):
    """An employee, with when their row changed and what the last comparison with Asana's users found."""

    updated_at: dt.datetime
    asana_gone_at: dt.datetime | None
    mapping_conflict: str | None


@dataclass(frozen=True)
class Owner:
    """An Asana user who owns goals and is no employee of the roster."""

    asana_user_gid: str
    goals: int


@dataclass(frozen=True)
class Waiting:
    """Goals that reach nobody's review, as of the latest list of goals; `listed_at` is None before the first."""

    owners: list[Owner]
    goals_without_owner: int
    listed_at: dt.datetime | None


@dataclass(frozen=True)
class EmployeeStatus:
    """An employee with what their stored block says; None in each figure of a missing block.

    `roster_changed`: the employee's row changed after the block was made. `reason` is the one that holds now.
    `incomplete_goals` are gids of goals in the block some of whose key results Asana did not show.
    """

    connection: str
    employee_id: str
    goals: int | None
    goals_owned: int | None
    key_results: int | None
    synced_at: dt.datetime | None
    age_seconds: float | None
    roster_changed: bool
    reason: str
    incomplete_goals: list[str]


@dataclass(frozen=True)
class Person(EmployeeStatus):
    """The same with the employee's name and e-mail, which only pages show."""

    full_name: str
    email: str


def read_roster_page(
    conn: sa.Connection, connection: str, page: Page, *, is_mapped: bool
) -> tuple[list[RosterRow], int]:
    """The mapped or the unmapped employees of the page, by employee id; and how many the search finds."""
    e = _EMPLOYEES.c
    has_user = e.asana_user_gid.is_not(None) if is_mapped else e.asana_user_gid.is_(None)
    found = (e.connection == connection, has_user, _matches(page.search))
    return _read_rows(conn, *found, page=page), _count(conn, *found)


def read_conflicts(conn: sa.Connection, connection: str) -> list[RosterRow]:
    """The mapped employees whom the e-mails contradict, by employee id."""
    e = _EMPLOYEES.c
    return _read_rows(conn, e.connection == connection, e.mapping_conflict.is_not(None))


def read_unmapped(conn: sa.Connection, connection: str) -> list[RosterRow]:
    """The unmapped employees, by employee id."""
    e = _EMPLOYEES.c
    return _read_rows(conn, e.connection == connection, e.asana_user_gid.is_(None))


def read_waiting(conn: sa.Connection, connection: str) -> Waiting:
    """The goals of the latest list that belong to no employee. Owners with the most goals come first."""
    g, e = sql_table(_RAW).c, _EMPLOYEES.c
    goals_count = sa.func.count()
    query = (
        sa.select(g.owner_gid, goals_count)
        .where(g.connection == connection)
        .where(~sa.exists().where(e.connection == g.connection, e.asana_user_gid == g.owner_gid))
        .group_by(g.owner_gid)
        .order_by(goals_count.desc(), ordered(g.owner_gid))
    )
    goals = conn.execute(query).all()
    source = read_source(conn, connection, _RAW)
    return Waiting(
        owners=[Owner(gid, count) for gid, count in goals if gid is not None],
        goals_without_owner=next((count for gid, count in goals if gid is None), 0),
        listed_at=source.synced_at if source else None,
    )


def read_employee_statuses(conn: sa.Connection, connection: str | None) -> list[EmployeeStatus]:
    """Every employee of the connection, or of all connections, by connection and id."""
    query = _select_statuses()
    if connection is not None:
        query = query.where(_EMPLOYEES.c.connection == connection)
    return [EmployeeStatus(**status) for status in _read_statuses(conn, query)]


def read_people(
    conn: sa.Connection, connection: str, page: Page, only: Collection[str] | None = None
) -> tuple[list[Person], int]:
    """The employees of the page, by employee id; and how many there are. `only` names the ids that may be seen."""
    e = _EMPLOYEES.c
    found = [e.connection == connection, _matches(page.search)]
    if only is not None:
        found.append(e.employee_id == any_of(only))
    query = _select_statuses(e.full_name, e.email).where(*found).limit(page.limit).offset(page.offset)
    return [Person(**person) for person in _read_statuses(conn, query)], _count(conn, *found)


def read_person(conn: sa.Connection, connection: str, employee_id: str) -> Person | None:
    """The employee; None if the roster does not have them."""
    e = _EMPLOYEES.c
    query = _select_statuses(e.full_name, e.email).where(e.connection == connection, e.employee_id == employee_id)
    return next((Person(**person) for person in _read_statuses(conn, query, employee_id)), None)


def _read_rows(conn: sa.Connection, *found: sa.ColumnElement[bool], page: Page | None = None) -> list[RosterRow]:
    e = _EMPLOYEES.c
    query = sa.select(*(e[f.name] for f in fields(RosterRow))).where(*found).order_by(ordered(e.employee_id))
    if page is not None:
        query = query.limit(page.limit).offset(page.offset)
    return [RosterRow(**row) for row in conn.execute(query).mappings()]


def _select_statuses(*more: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The facts that an `EmployeeStatus` is made of, and these columns of the roster."""
    e, b = _EMPLOYEES.c, _BLOCKS.c
    has_block = sa.and_(b.connection == e.connection, b.employee_id == e.employee_id, e.asana_user_gid.is_not(None))
    return (
        sa.select(
            e.connection,
            e.employee_id,
            e.asana_user_gid.is_not(None).label("is_mapped"),
            e.asana_gone_at.is_not(None).label("is_gone"),
            b.reason.label("block_reason"),
            b.goals_listed.label("goals"),
            b.goals_owned,
            b.key_results_listed.label("key_results"),
            b.synced_at,
            age_of(b.synced_at).label("age_seconds"),
            sa.func.coalesce(e.updated_at > b.synced_at, False).label("roster_changed"),
            *more,
        )
        .outerjoin_from(_EMPLOYEES, _BLOCKS, has_block)
        .order_by(ordered(e.connection), ordered(e.employee_id))
    )


def _read_statuses(
    conn: sa.Connection, query: sa.Select[Any], employee_id: str | None = None
) -> Iterator[dict[str, Any]]:
    """The rows, by field, each with the reason that its facts give, and with its goals that lack key results.

    If the query is for one employee, `employee_id` spares looking at the others' blocks.
    """
    rows = conn.execute(query).mappings().all()
    incomplete = {name: read_incomplete_goals(conn, name, employee_id) for name in {row["connection"] for row in rows}}
    for row in rows:
        status = dict(row)
        facts = {name: status.pop(name) for name in ("block_reason", "is_mapped", "is_gone")}
        lacking = incomplete[row["connection"]].get(row["employee_id"], []) if facts["block_reason"] else []
        yield status | {"reason": reason_now(**facts), "incomplete_goals": lacking}


def _matches(search: str) -> sa.ColumnElement[bool]:
    """Whether the id, the name or the e-mail has the text in it, in any case."""
    e, text = _EMPLOYEES.c, search.strip()
    if not text:
        return sa.true()
    return sa.or_(*(column.icontains(text, autoescape=True) for column in (e.employee_id, e.full_name, e.email)))


def _count(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> int:
    return conn.scalar(sa.select(sa.func.count()).select_from(_EMPLOYEES).where(*conditions)) or 0
