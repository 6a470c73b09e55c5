"""What the catalog's pages show: the tables' columns and where these come from, and a small picture of a sync.

The picture is of numbers only: no goal's text and nobody's name.
"""

from collections import Counter
from collections.abc import Mapping

import dagster as dg
import pandas as pd

from perfcopilot_goals.domain.block import BLOCK_REASONS, STATUSES
from perfcopilot_goals.schemas.lineage import SOURCES
from perfcopilot_goals.schemas.tables import TABLES, Column

# Short: in a window of 1,280 pixels, the Overview of an asset leaves some 260 for label, count and bar.
LONGEST_BAR = 6
_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


def column_schema(table: str) -> dg.TableSchema:
    """The columns with types, descriptions and constraints; the key's columns say so."""
    declared = TABLES[table]
    return dg.TableSchema(columns=[_column(column, column.name in declared.key) for column in declared.columns])


def column_lineage(table: str) -> dg.TableColumnLineage:
    """The columns of other tables that each column comes from."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=dg.AssetKey(source), column_name=name) for source, name in sources]
            for column, sources in SOURCES[table].items()
        }
    )


def draw_sync(rows: pd.DataFrame, blocks: pd.DataFrame, asana_user_of: Mapping[str, str | None]) -> dg.MetadataValue:
    """Two bar charts as Markdown tables: goals by status, employees by the reason of their block."""
    statuses = Counter(rows.loc[rows["kind"] == "goal", "status"])
    reasons = Counter(blocks["reason"]) + Counter(unmapped=sum(not gid for gid in asana_user_of.values()))
    goals = {status: statuses[status] for status in ("completed", *STATUSES[:3])}
    employees = {reason: reasons[reason] for reason in (*BLOCK_REASONS, "unmapped")}
    return dg.MetadataValue.md(f"{_table('Goals by status', goals)}\n\n{_table('Employees by block', employees)}")


def draw_bar(count: int, most: int) -> str:
    """A bar of block characters; `most` gets the longest. Only 0 has none, so one among thousands can still be seen.

    Text takes the colour of the page, so the bar shows on a light page and on a dark one.
    """
    eighths = -(-count * LONGEST_BAR * 8 // max(1, most))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8]


def _column(column: Column, is_key: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=column.nullable, other=["part of the key"] if is_key else [])
    return dg.TableColumn(column.name, column.pg_type, column.description, constraints)


def _table(title: str, counts: Mapping[str, int]) -> str:
    most = max(counts.values())
    lines = [f"| {name} | {count:,} | {draw_bar(count, most)} |" for name, count in counts.items()]
    return "\n".join([f"| {title} | | |", "| --- | ---: | --- |", *lines])
