"""The receipts of syncs, in the column `syncs.receipt`. `core.receipt` says what is in one."""

from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.core.receipt import build_receipt
from perfcopilot_goals.domain.sync import Sync
from perfcopilot_goals.schemas.sql_tables import sql_table

_SYNCS = sql_table("syncs")


def store_receipt(conn: sa.Connection, connection: str, run_id: str) -> None:
    """Store the receipt of a sync that has just completed, in its transaction; none if it wrote only some tables.

    `GoalsGuardError` if the sync's counts do not add up.
    """
    sync = read_sync(conn, connection, run_id)
    receipt = build_receipt(sync) if sync else None
    if receipt is not None:
        c = _SYNCS.c
        this_sync = (c.connection == connection, c.run_id == run_id)
        conn.execute(sa.update(_SYNCS).where(*this_sync).values(receipt=receipt))


def read_sync(conn: sa.Connection, connection: str, run_id: str) -> Sync | None:
    """The sync of that run, if there was one."""
    c = _SYNCS.c
    query = sa.select(*(c[field.name] for field in fields(Sync)))
    found = conn.execute(query.where(c.connection == connection, c.run_id == run_id)).first()
    return Sync(*found) if found else None


def read_receipt(conn: sa.Connection, connection: str, run_id: str) -> dict[str, Any] | None:
    """The receipt of that run; None if it has none."""
    c = _SYNCS.c
    receipt: dict[str, Any] | None = conn.scalar(
        sa.select(c.receipt).where(c.connection == connection, c.run_id == run_id)
    )
    return receipt


def read_last_receipt(conn: sa.Connection, connection: str) -> dict[str, Any] | None:
    """The latest receipt of the connection; None if it has none."""
    c = _SYNCS.c
    query = sa.select(c.receipt).where(c.connection == connection, c.receipt.is_not(None))
    receipt: dict[str, Any] | None = conn.scalar(query.order_by(c.started_at.desc()).limit(1))
    return receipt
