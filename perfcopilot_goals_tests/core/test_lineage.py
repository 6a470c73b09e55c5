"""Whether the inputs of a slice belong together."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.lineage import ROSTER, check_inputs, keeps_mappings, roster_digest, without_later_mappings
from perfcopilot_goals.domain.sync import Source
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals_tests.core.examples import MONDAY, attempt, usual


def source(run_id: str, moment: dt.datetime | None = MONDAY, **inputs: str) -> Source:
    return Source(run_id, moment, inputs, {})


def refusal(table: str, sources: dict[str, Source]) -> object:
    """The error that refuses these inputs; None if they may be combined."""
    return attempt(lambda: check_inputs(table, sources))


def test_inputs_made_from_the_same_state_may_be_combined() -> None:
    sources = {
        "owned_goals": source("run-2", raw_workspace_goals="run-1", employees="digest"),
        "mapped_goal_rows": source("run-3", owned_goals="run-2", subgoals="run-2"),
        "employees": source("digest", None),
    }
    assert refusal("prompt_blocks", sources) is None
    assert "earlier state of owned_goals" in str(refusal("prompt_blocks", sources | {"owned_goals": source("run-9")}))


@pytest.mark.parametrize("sources", [{}, {"connections": source("run-1")}], ids=["none", "one"])
def test_an_asset_with_one_input_or_none_cannot_mix(sources: dict[str, Source]) -> None:
    assert refusal("raw_workspace_goals", sources) is None


@pytest.mark.parametrize(
    ("sources", "stale", "shared"),
    [
        ({"owned_goals": source("run-2"), "subgoals": source("run-2", owned_goals="run-1")}, "subgoals", "owned_goals"),
        ({"employees": source("b", None), "owned_goals": source("run-1", employees="a")}, "owned_goals", "employees"),
    ],
    ids=["subgoals-of-older-goals", "goals-of-an-older-roster"],
)  # fmt: skip
def test_key_results_or_goals_of_an_earlier_state_are_refused_by_name(
    sources: dict[str, Source], stale: str, shared: str
) -> None:
    with pytest.raises(GoalsGuardError) as refused:
        check_inputs("mapped_goal_rows", sources)
    assert f"mapped_goal_rows was not written: {stale} was made from an earlier state of {shared}" in str(refused.value)


def test_an_input_that_is_not_used_here_cannot_mix() -> None:
    sources = {"subgoals": source("run-2", owned_goals="run-1")}
    assert refusal("mapped_goal_rows", sources) is None
    assert refusal("mapped_goal_rows", sources | {"owned_goals": source("run-2")}) is not None


def test_the_roster_is_the_name_of_the_employees_source() -> None:
    assert ROSTER == "employees"


ROSTERS = st.dictionaries(st.sampled_from(["E-1", "E-2", "É-3"]), st.sampled_from([None, "", "1", "01", "2"]))


@usual
@given(ROSTERS, ROSTERS)
def test_rosters_have_equal_digests_exactly_when_they_map_the_same(
    one: dict[str, str | None], other: dict[str, str | None]
) -> None:
    mapped_alike = {e: gid for e, gid in one.items() if gid} == {e: gid for e, gid in other.items() if gid}
    assert (roster_digest(one) == roster_digest(other)) == mapped_alike
    assert roster_digest(dict(reversed(one.items()))) == roster_digest(one)


def test_a_digest_does_not_confuse_where_an_id_ends() -> None:
    assert roster_digest({"a": "12", "b": "3"}) != roster_digest({"a": "1", "b": "23"})
    assert roster_digest({"a1": "2"}) != roster_digest({"a": "12"})


def test_a_roster_keeps_its_mappings_if_others_are_added_and_not_if_one_goes_or_moves() -> None:
    was = {"E1": "1", "E2": None}
    assert keeps_mappings({"E1": "1", "E2": "2", "E3": "3"}, was)
    assert not any(keeps_mappings(now, was) for now in ({"E1": "9"}, {"E1": None}, {"E2": None}))


def test_whoever_was_mapped_since_is_still_unmapped_and_everybody_on_the_roster_is_on_it() -> None:
    now = {"E1": "1", "E2": "2", "E3": "3", "E4": None}
    assert without_later_mappings(now, {"E1": "1", "E2": None}) == {"E1": "1", "E2": None, "E3": None, "E4": None}
