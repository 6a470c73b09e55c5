"""The table `audit_log`: who changed what on the admin page, and whose goals they looked at.

An entry holds ids, and the e-mail address of whoever did it. `services` writes it in the transaction of the change
itself, so there is no change without its entry.
"""

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.core.erasure import MARK
from perfcopilot_goals.domain.employee import address_of
from perfcopilot_goals.schemas.tables import sql_table

_AUDIT = sql_table("audit_log")
_EMPLOYEES = sql_table("employees")


@dataclass(frozen=True)
class AuditEntry:
    """One row. `subject` are the ids of the employees whom it was about."""

    connection: str
    at: dt.datetime
    actor: str
    action: str
    subject: list[str]


def add_audit_entry(
    conn: sa.Connection, connection: str, actor: str | None, action: str, subject: Iterable[str] = ()
) -> None:
    """Add an entry, as of now; none for a change without an actor, which was not made on the page."""
    if actor is None:
        return
    row = {"connection": connection, "actor": actor, "action": action, "subject": list(subject)}
    # Inline: otherwise SQLAlchemy has the number of the entry returned, which takes the right to read the log.
    conn.execute(sa.insert(_AUDIT).inline().values(row | {"at": sa.func.clock_timestamp()}))


def read_audit_log(conn: sa.Connection, limit: int, offset: int = 0) -> tuple[list[AuditEntry], int]:
    """This many entries of all connections, the latest first; and how many there are in all."""
    a = _AUDIT.c
    query = sa.select(a.connection, a.at, a.actor, a.action, a.subject).order_by(a.at.desc(), a.entry.desc())
    rows = conn.execute(query.limit(limit).offset(offset))
    total = conn.scalar(sa.select(sa.func.count()).select_from(_AUDIT)) or 0
    return [AuditEntry(*row) for row in rows], total


def forget_subjects(conn: sa.Connection, connection: str) -> None:
    """Take everybody's ids out of the connection's entries. The entries stay."""
    a = _AUDIT.c
    conn.execute(sa.update(_AUDIT).where(a.connection == connection).values(subject=[]))


def redact_audit_log(conn: sa.Connection, connection: str, ids: Collection[str], address: str = "") -> int:
    """Take a person out of the log; returns how many entries changed.

    `ids` leave the subjects of the connection's entries. A mark replaces an actor who has the person's `address`,
    except in the entries of another connection whose roster has somebody with it: they were not erased there. An empty
    address is nobody's.
    """
    a, e = _AUDIT.c, _EMPLOYEES.c
    rosters = conn.execute(sa.select(e.connection, e.email)).all() if address else []
    elsewhere = {name for name, email in rosters if address_of(email) == address} - {connection}
    changed = 0
    rows = conn.execute(sa.select(a.connection, a.entry, a.actor, a.subject)).all()
    for name, entry, actor, subject in rows:
        kept = [i for i in subject if i not in ids] if name == connection else subject
        is_theirs = address and address_of(actor) == address and name not in elsewhere
        shown = MARK if is_theirs else actor
        if (kept, shown) != (subject, actor):
            this_entry = (a.connection == name, a.entry == entry)
            conn.execute(sa.update(_AUDIT).where(*this_entry).values(subject=kept, actor=shown))
            changed += 1
    return changed
