"""Digests of slices: equal for equal data, and different as soon as one value is."""

import pandas as pd
import pytest
from hypothesis import given

from perfcopilot_goals.core.lineage import digest_slice
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.schemas.tables import frame, own_columns, stamp
from perfcopilot_goals_tests.core.examples import MONDAY, World, awkward_world, one_in, sync, worlds


def digests(slices: dict[str, pd.DataFrame]) -> dict[str, str]:
    return {table: digest_slice(table, rows) for table, rows in slices.items()}


def test_a_digest_does_not_depend_on_the_run_the_moment_or_the_order_of_rows() -> None:
    slices = sync(awkward_world())
    shuffled = {table: rows.sample(frac=1, random_state=7) for table, rows in slices.items()}
    stamped = {table: stamp(rows, "acme", MONDAY, f"run-{table}") for table, rows in shuffled.items()}
    assert digests(stamped) == digests(shuffled) == digests(slices)
    assert len(set(digests(slices).values())) == len(SLICE_TABLES)


def test_a_digest_does_not_depend_on_the_order_in_which_postgres_keeps_an_objects_names() -> None:
    blocks = sync(awkward_world())["prompt_blocks"]
    turned = [[dict(reversed(citation.items())) for citation in cited] for cited in blocks["citations"]]
    assert digest_slice("prompt_blocks", blocks.assign(citations=pd.Series(turned))) == digest_slice(
        "prompt_blocks", blocks
    )


@given(worlds())
@one_in(10)
def test_one_changed_value_changes_the_digest(world: World) -> None:
    raw = sync(world)["raw_workspace_goals"]
    values = [list(row) for row in raw.itertuples(index=False, name=None)]
    if not values:
        return
    names = own_columns("raw_workspace_goals")
    values[0][names.index("name")] += "!"
    assert digest_slice("raw_workspace_goals", frame("raw_workspace_goals", values)) != digest_slice(
        "raw_workspace_goals", raw
    )


def test_what_is_missing_differs_from_an_empty_text() -> None:
    subgoals = sync(awkward_world())["subgoals"]
    assert digest_slice("subgoals", subgoals.assign(status_type=None)) != digest_slice(
        "subgoals", subgoals.assign(status_type="")
    )


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_an_empty_slice_has_a_digest_of_its_own(table: str) -> None:
    empty = {name: digest_slice(name, frame(name, [])) for name in SLICE_TABLES}
    assert list(empty.values()).count(empty[table]) == 1
