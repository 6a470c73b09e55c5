"""What one sees on an asset's page beside its rows: the sync's picture and the columns' lineage."""

import re

import dagster as dg
import pytest

from perfcopilot_goals.defs.catalog import LONGEST_BAR, draw_bar
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals_tests.defs.running_instance import Running, metadata_of


def drawn(markdown: str) -> list[dict[str, tuple[int, int]]]:
    """The tables of a Markdown text: for each label its count, and how many characters its bar has."""
    return [
        {
            label: (int(count), len(bar))
            for label, count, bar in re.findall(r"^\| (\w+) \| (\d+) \| ?([█▏▎▍▌▋▊▉]*) ?\|$", table, re.MULTILINE)
        }
        for table in markdown.split("\n\n")
    ]


def test_the_picture_counts_goals_by_status_and_employees_by_their_block(running: Running) -> None:
    markdown = metadata_of(running.sync(), "prompt_blocks")["picture"]
    goals, employees = drawn(markdown)
    half = LONGEST_BAR // 2
    assert goals == {"completed": (1, half), "on_track": (2, LONGEST_BAR), "at_risk": (1, half), "off_track": (0, 0)}
    assert {label: count for label, (count, _) in employees.items()} == {
        "ok": 2,
        "truncated": 0,
        "owns_no_goals": 0,
        "had_goals_before": 0,
        "asana_user_gone": 0,
        "unmapped": 1,
    }
    assert "Thimble" not in markdown
    assert "traffic" not in markdown


def test_a_sync_without_goals_has_a_picture_too(running: Running) -> None:
    running.world.goals.clear()
    running.world.subgoals.clear()
    goals, employees = drawn(metadata_of(running.sync(), "prompt_blocks")["picture"])
    assert set(goals.values()) == {(0, 0)}
    assert employees["owns_no_goals"] == (2, LONGEST_BAR)


@pytest.mark.parametrize(
    ("count", "most", "bar"),
    [
        (0, 0, ""),
        (0, 9, ""),
        (1, 100_000, "▏"),
        (9, 9, "█" * LONGEST_BAR),
        (1, 6, "█"),
        (1, 5, "█▎"),
        (99_999, 100_000, "█" * LONGEST_BAR),
    ],
)
def test_a_bar_is_as_long_as_its_count_and_never_hides_one(count: int, most: int, bar: str) -> None:
    assert draw_bar(count, most) == bar


def test_every_materialization_has_its_columns_lineage(running: Running) -> None:
    result = running.sync()
    for table in SLICE_TABLES:
        lineage = metadata_of(result, table)["dagster/column_lineage"]
        assert isinstance(lineage, dg.TableColumnLineage)
    names = metadata_of(result, "owned_goals")["dagster/column_lineage"].deps_by_column["name"]
    assert names == [dg.TableColumnDep(asset_key=dg.AssetKey("raw_workspace_goals"), column_name="name")]
