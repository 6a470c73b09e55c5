"""What is derived from the models beside this file.

Validation, the tables that statements are written over, the column order of a load, Dagster's column schema and the
fields asked of Asana. What a column's value *means* stays in `core`, how it is stored in `storage`.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pandera.pandas as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import GoalsSchemaError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.models import MODELS

SLICE_COLUMNS = ("connection", "synced_at", "run_id")

# pandera's name of a type -> Postgres', SQLAlchemy's and pandas' type. Text, dates and JSON stay objects, so that None
# stays None.
_TYPES: dict[str, tuple[str, sa.types.TypeEngine[Any], str]] = {
    "str": ("text", sa.Text(), "object"),
    "int64": ("integer", sa.Integer(), "int64"),
    "Int64": ("integer", sa.Integer(), "Int64"),
    "bool": ("boolean", sa.Boolean(), "bool"),
    "date": ("date", sa.Date(), "object"),
    # None is SQL's null: a sync without a receipt must not get JSON's.
    "object": ("jsonb", postgresql.JSONB(none_as_null=True), "object"),
    "datetime64[us, UTC]": ("timestamp with time zone", sa.DateTime(timezone=True), "datetime64[us, UTC]"),
}
_metadata = sa.MetaData(SCHEMA)


@dataclass(frozen=True)
class Column:
    """One column: its type in Postgres and in pandas, its description and Asana's path for it."""

    name: str
    pg_type: str
    dtype: str
    nullable: bool
    description: str
    asana: str | None


@dataclass(frozen=True)
class Table:
    """One table: what validates its rows, what statements are written over, and what is derived from its model."""

    name: str
    schema: pa.DataFrameSchema
    sql: sa.Table
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def asana_fields(self) -> list[str]:
        """Asana's paths of the columns, in order. `gid` is left out, because Asana always sends it."""
        return [column.asana for column in self.columns if column.asana and column.asana != "gid"]


def _table(name: str, model: type[pa.DataFrameModel]) -> Table:
    schema = model.to_schema()
    key = tuple(schema.unique or ())
    sql, columns = sa.Table(name, _metadata), []
    for column_name, column in schema.columns.items():
        pg_type, sql_type, dtype = _TYPES[str(column.dtype)]
        is_key = column_name in key
        # A whole number in a key counts by itself, in the database.
        is_counted = is_key and pg_type == "integer"
        sql.append_column(sa.Column(column_name, sql_type, primary_key=is_key, autoincrement=is_counted))
        asana = (column.metadata or {}).get("asana")
        columns.append(Column(column_name, pg_type, dtype, column.nullable, column.description or "", asana))
    return Table(name, schema, sql, (model.__doc__ or "").strip(), key, tuple(columns))


# Every table by name, the five asset tables first, in the order of the pipeline. Made once, since a statement must not
# mix two tables of the same name.
TABLES = {name: _table(name, model) for name, model in MODELS.items()}


def sql_table(name: str) -> sa.Table:
    """The table as SQLAlchemy has it, for the statements of `storage`."""
    return TABLES[name].sql


def ordered(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The column to order by: by its characters, the same in every database whatever its language."""
    return column.collate("C")


def any_of(values: Iterable[str]) -> sa.ColumnElement[Any]:
    """Any of these texts, to compare a column with: one parameter, however many they are."""
    return sa.any_(sa.literal(list(values), postgresql.ARRAY(sa.Text)))


def own_columns(table: str) -> list[str]:
    """The table's columns without the three that every slice has."""
    return [name for name in TABLES[table].column_names if name not in SLICE_COLUMNS]


def frame(table: str, rows: Iterable[Sequence[Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows of plain Python values as a frame with the table's dtypes, even without any row.

    `columns` names the columns of the values. By default these are the table's own columns, in its order.
    """
    names = own_columns(table) if columns is None else columns
    values: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(names)
    dtypes = {column.name: column.dtype for column in TABLES[table].columns}
    return pd.DataFrame({n: pd.Series(v, dtype=dtypes[n]) for n, v in zip(names, values, strict=True)})


def stamp(rows: pd.DataFrame, connection: str, synced_at: dt.datetime, run_id: str) -> pd.DataFrame:
    """The rows, with the three columns that every slice has in front."""
    stamps = {
        "connection": pd.Series(connection, index=rows.index, dtype="object"),
        "synced_at": pd.Series(synced_at, index=rows.index, dtype="datetime64[us, UTC]"),
        "run_id": pd.Series(run_id, index=rows.index, dtype="object"),
    }
    return pd.concat([pd.DataFrame(stamps), rows], axis=1)


def validate(table: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as pandera returns them, or `GoalsSchemaError` with the column, rule and count of each breach."""
    try:
        return TABLES[table].schema.validate(rows, lazy=True)
    except pa.errors.SchemaErrors as error:
        breaches = _breaches(error.failure_cases)
    except (TypeError, ValueError):
        # pandera compares the values of a key; lists and dicts cannot be compared.
        breaches = "the key: values that cannot be compared"
    # Raised outside the except block: pandera's error quotes every failing value, and would be kept as the context.
    raise GoalsSchemaError(
        f"{table} was refused and not written: {breaches}",
        action="If Asana's responses changed, adapt how they are parsed",
    )


def _breaches(cases: pd.DataFrame) -> str:
    """Column, rule and count of each breach. If a whole column is the breach, pandera has its name as the value."""
    is_about_columns = cases["check"].isin(["column_in_dataframe", "column_in_schema"])
    columns = cases["column"].mask(is_about_columns, cases["failure_case"]).astype(str)
    counts = Counter(zip(columns, cases["check"].astype(str), strict=True))
    return "; ".join(f"{column}: {check} ({count} values)" for (column, check), count in sorted(counts.items()))


@dataclass
class Slice:
    """What an asset hands over to be stored: its rows, and notes on how they came about (only counts and ids).

    `fetched_from` is the connection with the settings that the run fetched with; None if it has fetched nothing.
    """

    rows: pd.DataFrame
    notes: Mapping[str, Any] = field(default_factory=dict)
    fetched_from: Connection | None = None

    def hand_over(self) -> pd.DataFrame:
        """Return the rows and keep none.

        A run in the caller's process keeps what its assets returned until it ends: 300 MB for 100,000 goals.
        """
        rows, self.rows = self.rows, self.rows.iloc[:0].copy()
        return rows
