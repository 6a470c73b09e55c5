"""What one sees on an asset's page beside its rows: the sync's picture and the columns' lineage."""

import base64
import re
from xml.etree import ElementTree

import dagster as dg

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals_tests.defs.running_instance import Running, figures


def drawn(markdown: str) -> list[tuple[str, str]]:
    """The pictures of a Markdown text: what each says in words, and all text that is drawn in it."""
    found = re.findall(r"!\[([^\]]*)\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", markdown)
    return [(told, "\n".join(ElementTree.fromstring(base64.b64decode(svg)).itertext())) for told, svg in found]


def test_the_picture_counts_goals_by_status_and_employees_by_their_block(running: Running) -> None:
    markdown = figures(running.sync(), "prompt_blocks")["picture"]
    (goals, goals_text), (employees, employees_text) = drawn(markdown)
    assert goals == "Goals by status: completed: 1, on_track: 2, at_risk: 1, off_track: 0"
    assert employees == (
        "Employees by their block: ok: 2, truncated: 0, owns_no_goals: 0, had_goals_before: 0, asana_user_gone: 0, "
        "unmapped: 1"
    )
    assert "on_track: 2" in goals_text
    assert "unmapped: 1" in employees_text
    assert "Thimble" not in markdown + goals_text + employees_text
    assert "traffic" not in markdown + goals_text + employees_text


def test_a_sync_without_goals_has_a_picture_too(running: Running) -> None:
    running.world.goals.clear()
    running.world.subgoals.clear()
    (goals, _), (employees, _) = drawn(figures(running.sync(), "prompt_blocks")["picture"])
    assert goals.endswith("completed: 0, on_track: 0, at_risk: 0, off_track: 0")
    assert "owns_no_goals: 2" in employees


def test_every_materialization_has_its_columns_lineage(running: Running) -> None:
    result = running.sync()
    for table in SLICE_TABLES:
        lineage = figures(result, table)["dagster/column_lineage"]
        assert isinstance(lineage, dg.TableColumnLineage)
    names = figures(result, "owned_goals")["dagster/column_lineage"].deps_by_column["name"]
    assert names == [dg.TableColumnDep(asset_key=dg.AssetKey("raw_workspace_goals"), column_name="name")]
