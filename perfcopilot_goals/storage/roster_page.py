"""Pages of a roster: some rows at a time, by a search, with what the employees' blocks say."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.schemas.sql_tables import any_of, ordered, sql_table

_EMPLOYEES = sql_table("employees")
_BLOCKS = sql_table("prompt_blocks")


@dataclass(frozen=True)
class Page:
    """Which rows: this many after the first `offset` of those that a search finds. An empty search finds all."""

    limit: int
    offset: int = 0
    search: str = ""


@dataclass(frozen=True)
class RosterRow:
    """An employee of the roster."""

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: str | None
    manager_email: str | None
    updated_at: dt.datetime
    asana_gone_at: dt.datetime | None
    mapping_conflict: str | None


@dataclass(frozen=True)
class Person:
    """An employee with what their block says; None where there is no block."""

    connection: str
    employee_id: str
    full_name: str
    email: str
    is_mapped: bool
    is_gone: bool
    block_reason: str | None
    goals_owned: int | None
    goals_listed: int | None


def read_roster_page(
    conn: sa.Connection, connection: str, page: Page, *, is_mapped: bool
) -> tuple[list[RosterRow], int]:
    """The mapped or the unmapped employees of the page, by employee id; and how many the search finds."""
    e = _EMPLOYEES.c
    has_user = e.asana_user_gid.is_not(None) if is_mapped else e.asana_user_gid.is_(None)
    found = (e.connection == connection, has_user, _matches(page.search))
    query = sa.select(*(e[f.name] for f in fields(RosterRow))).where(*found).order_by(ordered(e.employee_id))
    rows = conn.execute(query.limit(page.limit).offset(page.offset))
    return [RosterRow(*row) for row in rows], _count(conn, *found)


def read_conflicts(conn: sa.Connection, connection: str) -> list[RosterRow]:
    """The mapped employees whom the e-mails contradict, by employee id."""
    e = _EMPLOYEES.c
    query = sa.select(*(e[f.name] for f in fields(RosterRow))).where(
        e.connection == connection, e.mapping_conflict.is_not(None)
    )
    return [RosterRow(*row) for row in conn.execute(query.order_by(ordered(e.employee_id)))]


def read_people(
    conn: sa.Connection, connection: str, page: Page, only: Collection[str] | None = None
) -> tuple[list[Person], int]:
    """The employees of the page, by employee id; and how many there are. `only` names the ids that may be seen."""
    found = [_EMPLOYEES.c.connection == connection, _matches(page.search)]
    if only is not None:
        found.append(_EMPLOYEES.c.employee_id == any_of(only))
    query = _people().where(*found).order_by(ordered(_EMPLOYEES.c.employee_id))
    rows = conn.execute(query.limit(page.limit).offset(page.offset))
    return [Person(*row) for row in rows], _count(conn, *found)


def read_person(conn: sa.Connection, connection: str, employee_id: str) -> Person | None:
    """The employee; None if the roster does not have them."""
    e = _EMPLOYEES.c
    row = conn.execute(_people().where(e.connection == connection, e.employee_id == employee_id)).first()
    return Person(*row) if row else None


def _people() -> sa.Select[Any]:
    e, b = _EMPLOYEES.c, _BLOCKS.c
    has_block = sa.and_(b.connection == e.connection, b.employee_id == e.employee_id, e.asana_user_gid.is_not(None))
    return sa.select(
        *(e.connection, e.employee_id, e.full_name, e.email, e.asana_user_gid.is_not(None)),
        *(e.asana_gone_at.is_not(None), b.reason, b.goals_owned, b.goals_listed),
    ).outerjoin_from(_EMPLOYEES, _BLOCKS, has_block)


def _matches(search: str) -> sa.ColumnElement[bool]:
    """Whether the id, the name or the e-mail has the text in it, in any case."""
    e, text = _EMPLOYEES.c, search.strip()
    if not text:
        return sa.true()
    return sa.or_(*(column.icontains(text, autoescape=True) for column in (e.employee_id, e.full_name, e.email)))


def _count(conn: sa.Connection, *conditions: sa.ColumnElement[bool]) -> int:
    return conn.scalar(sa.select(sa.func.count()).select_from(_EMPLOYEES).where(*conditions)) or 0
