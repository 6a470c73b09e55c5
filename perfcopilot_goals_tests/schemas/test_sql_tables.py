"""The tables that statements are written over are those of the models."""

import pytest
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.sql_tables import sql_table
from perfcopilot_goals.schemas.tables import tables


@pytest.mark.parametrize("name", tables())
def test_a_table_for_statements_has_the_columns_types_and_key_of_its_model(name: str) -> None:
    table, declared = sql_table(name), tables()[name]
    assert (table.schema, table.name) == (SCHEMA, name)
    assert table.c.keys() == declared.column_names
    assert {column.name for column in table.primary_key} == set(declared.key)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = [column.type.compile(dialect).lower() for column in table.c]
    assert types == [column.pg_type for column in declared.columns]
    assert sql_table(name) is table
