"""The tables `erased` and `erasure_keys`: whom not to store again, without saying who they are.

An erased person could come back by one of their ids, so a keyed hash of each stays. Add here how somebody is
recognised; how they are removed is in `erasure`.
"""

import datetime as dt
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.domain.employee import Employee, address_of
from perfcopilot_goals.schemas.sql_tables import sql_table
from perfcopilot_goals.storage.locks import lock_slices

_ERASED = sql_table("erased")
_KEYS = sql_table("erasure_keys")


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
    query = sa.select(sa.true()).where(c.connection == connection, c.erased_at >= moment).limit(1)
    return conn.scalar(query) is not None


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
