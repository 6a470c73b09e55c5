"""Column lineage: every name in it is a column, and every derived column has sources."""

import pytest

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.schemas.lineage import SOURCES
from perfcopilot_goals.schemas.tables import TABLES, own_columns

# The tables that an asset's columns may come from, by the pipeline's edges.
UPSTREAM = {
    "raw_workspace_goals": {"raw_workspace_goals"},
    "owned_goals": {"raw_workspace_goals", "employees"},
    "subgoals": {"owned_goals"},
    "mapped_goal_rows": {"owned_goals", "subgoals"},
    "prompt_blocks": {"mapped_goal_rows", "owned_goals", "employees"},
}


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_every_source_is_a_column_of_a_table_upstream(table: str) -> None:
    for column, sources in SOURCES[table].items():
        assert column in own_columns(table)
        assert sources
        for source, name in sources:
            assert name in TABLES[source].column_names
            assert source in UPSTREAM[table]


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_every_column_is_asanas_or_has_its_sources(table: str) -> None:
    asanas = {column.name for column in TABLES[table].columns if column.asana}
    # Asana sends a place as the order of its list, not as a field.
    asanas |= {"position"} if table in ("raw_workspace_goals", "subgoals") else set()
    assert set(own_columns(table)) == asanas | set(SOURCES[table])
    assert not asanas & set(SOURCES[table])
