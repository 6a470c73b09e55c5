"""The tables' columns for Dagster's catalog: what each one is, and which columns it comes from."""

import dagster as dg

from perfcopilot_goals.schemas.lineage import SOURCES
from perfcopilot_goals.schemas.tables import Column, tables


def column_schema(table: str) -> dg.TableSchema:
    """The columns with types, descriptions and constraints; the key's columns say so."""
    declared = tables()[table]
    return dg.TableSchema(columns=[_column(column, column.name in declared.key) for column in declared.columns])


def column_lineage(table: str) -> dg.TableColumnLineage:
    """The columns of other tables that each column comes from."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(source), column_name=name) for source, name in sources]
            for column, sources in SOURCES[table].items()
        }
    )


def _column(column: Column, is_key: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=column.nullable, other=["part of the key"] if is_key else [])
    return dg.TableColumn(column.name, column.pg_type, column.description, constraints)
