"""The tables' columns as Dagster's catalog shows them."""

import dagster as dg

from perfcopilot_goals.schemas.tables import Column, tables


def column_schema(table: str) -> dg.TableSchema:
    """The columns with types, descriptions and constraints; the key's columns say so."""
    declared = tables()[table]
    return dg.TableSchema(columns=[_column(column, column.name in declared.key) for column in declared.columns])


def _column(column: Column, is_key: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=column.nullable, other=["part of the key"] if is_key else [])
    return dg.TableColumn(column.name, column.pg_type, column.description, constraints)
