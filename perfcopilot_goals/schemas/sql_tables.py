"""The tables as SQLAlchemy has them, for the statements of `storage`.

Derived from the models: a column's name, type and key are declared there and nowhere else. What a statement does with
them is not said here.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import Table, tables

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "integer": sa.Integer(),
    "boolean": sa.Boolean(),
    "date": sa.Date(),
    "jsonb": postgresql.JSONB(),
    "timestamp with time zone": sa.DateTime(timezone=True),
}
_metadata = sa.MetaData(SCHEMA)


def _sql_table(table: Table) -> sa.Table:
    columns = [
        # A whole number in a key counts by itself, in the database.
        sa.Column(
            column.name,
            _TYPES[column.pg_type],
            primary_key=column.name in table.key,
            autoincrement=column.name in table.key and column.pg_type == "integer",
        )
        for column in table.columns
    ]
    return sa.Table(table.name, _metadata, *columns)


_TABLES = {table.name: _sql_table(table) for table in tables().values()}


def sql_table(name: str) -> sa.Table:
    """The table of that name."""
    return _TABLES[name]


def ordered(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The column to order by: by its characters, the same in every database whatever its language."""
    return column.collate("C")


def any_of(values: Iterable[str]) -> sa.ColumnElement[Any]:
    """Any of these texts, to compare a column with: one parameter, however many they are."""
    return sa.any_(sa.literal(list(values), postgresql.ARRAY(sa.Text)))
