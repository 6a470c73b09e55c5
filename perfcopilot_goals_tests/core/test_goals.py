"""From Asana's list to rows of `raw_workspace_goals`: whole, in order, typed, or not at all."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perfcopilot_goals.asana.listing import parse_data
from perfcopilot_goals.core.goals import parse_goals
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals.schemas.tables import stamp, validate
from perfcopilot_goals_tests.core.examples import (
    CANARY,
    MONDAY,
    WORKSPACE,
    attempt,
    error_texts,
    goal_json,
    json_values,
    nearly_goals,
    owner,
    records,
    update,
    usual,
    without,
)


def test_a_goal_becomes_a_row_with_every_column() -> None:
    goal = goal_json(
        "00123",
        name="Grow",
        owner=owner("11"),
        html_notes="<body>Why</body>",
        due_on="2026-06-30",
        start_on="2026-01-01",
        current_status_update=update("at_risk"),
        status="yellow",
    )
    assert records(parse_goals([goal], WORKSPACE).rows) == [
        {
            "goal_gid": "00123",
            "position": 0,
            "name": "Grow",
            "owner_gid": "11",
            "html_notes": "<body>Why</body>",
            "html_notes_chars": 16,
            "due_on": dt.date(2026, 6, 30),
            "start_on": dt.date(2026, 1, 1),
            "status_type": "at_risk",
            "asana_status": "yellow",
        }
    ]


def test_what_asana_leaves_null_is_none_and_not_a_null_of_pandas() -> None:
    (row,) = records(parse_goals([goal_json("1")], WORKSPACE).rows)
    nullable = ["owner_gid", "html_notes", "due_on", "start_on", "status_type", "asana_status"]
    assert [row[name] for name in nullable] == [None] * 6


@pytest.mark.fault("C16")
def test_no_goals_are_a_frame_with_the_tables_types() -> None:
    empty = parse_goals([], WORKSPACE)
    assert (len(empty.rows), empty.notes["repeated_goals"]) == (0, 0)
    assert empty.rows.dtypes.to_dict() == parse_goals([goal_json("1")], WORKSPACE).rows.dtypes.to_dict()
    validate("raw_workspace_goals", stamp(empty.rows, "acme", MONDAY, "run-1"))


def test_the_order_is_that_of_asanas_list() -> None:
    rows = parse_goals([goal_json("9"), goal_json("1"), goal_json("10")], WORKSPACE).rows
    assert list(rows["goal_gid"]) == ["9", "1", "10"]
    assert list(rows["position"]) == [0, 1, 2]


@pytest.mark.fault("B9", "C26")
def test_a_goal_that_came_on_two_pages_is_one_row_with_its_first_place_and_its_last_content() -> None:
    pages = [
        goal_json("1", name="old"),
        goal_json("2"),
        goal_json("1", name="new", owner=owner("11")),
        goal_json("3"),
        goal_json("2"),
    ]
    goals = parse_goals(pages, WORKSPACE)
    assert goals.notes["repeated_goals"] == 2
    assert [(row["goal_gid"], row["position"], row["name"]) for row in records(goals.rows)] == [
        ("1", 0, "new"),
        ("2", 1, "Grow web traffic"),
        ("3", 2, "Grow web traffic"),
    ]
    assert list(goals.rows["owner_gid"]) == ["11", None, None]


def test_two_gids_that_are_equal_as_numbers_are_two_goals() -> None:
    assert list(parse_goals([goal_json("1"), goal_json("01")], WORKSPACE).rows["goal_gid"]) == ["1", "01"]


@pytest.mark.parametrize(
    ("notes", "kept_chars", "chars"),
    [
        (None, None, None),
        ("", 0, 0),
        ("x" * 999, 999, 999),
        ("x" * 1_000, 1_000, 1_000),
        ("x" * 1_001, 1_000, 1_001),
        ("😀" * 1_001, 1_000, 1_001),
        ("\x00" * 1_001, 1_000, 1_001),
        ("x" * 10_000_000, 1_000, 10_000_000),
    ],
    ids=["null", "empty", "999", "1000", "1001", "emoji", "unstorable", "ten-megabytes"],
)
def test_a_description_is_cut_to_1000_characters_and_its_length_before_is_kept(
    notes: str | None, kept_chars: int | None, chars: int | None
) -> None:
    (row,) = records(parse_goals([goal_json("1", html_notes=notes)], WORKSPACE).rows)
    assert (None if row["html_notes"] is None else len(row["html_notes"])) == kept_chars
    assert (row["html_notes_chars"] == chars) if chars is not None else bool(row["html_notes_chars"] is not chars)


def test_no_longer_form_of_a_description_is_anywhere_in_the_rows() -> None:
    rows = parse_goals([goal_json("1", html_notes="x" * 1_000 + CANARY)], WORKSPACE).rows
    assert CANARY not in str(records(rows))


@pytest.mark.fault("C18")
def test_a_name_of_a_megabyte_is_kept_raw() -> None:
    name = "n" * 1_000_000
    assert list(parse_goals([goal_json("1", name=name)], WORKSPACE).rows["name"]) == [name]


@pytest.mark.parametrize("field", ["gid", "name", "owner", "html_notes", "due_on", "start_on", "current_status_update"])
@pytest.mark.fault("B20")
def test_a_field_that_vanished_breaks_the_contract(field: str) -> None:
    with pytest.raises(AsanaContractError):
        parse_goals([goal_json("1"), without(goal_json("2"), field)], WORKSPACE)


def test_asanas_own_status_may_be_missing_because_only_one_check_uses_it() -> None:
    assert list(parse_goals([without(goal_json("1"), "status")], WORKSPACE).rows["asana_status"]) == [None]


@pytest.mark.fault("B20")
def test_fields_that_nobody_asked_for_are_ignored() -> None:
    more = goal_json(
        "1", followers=[owner("12")] * 10_000, metric={"unit": CANARY}, custom_fields=[{"gid": 5}], liked=True
    )
    assert records(parse_goals([more], WORKSPACE).rows) == records(parse_goals([goal_json("1")], WORKSPACE).rows)


@pytest.mark.parametrize("workspace", [{"gid": "78"}, {"gid": "077"}, {"gid": "7"}], ids=repr)
@pytest.mark.fault("B22")
def test_a_goal_of_another_workspace_breaks_the_contract_and_nothing_is_kept(workspace: dict[str, Any]) -> None:
    with pytest.raises(AsanaContractError, match=r"goal 2 belongs to another workspace than 77") as refused:
        parse_goals([goal_json("1"), goal_json("2", workspace=workspace)], WORKSPACE)
    assert "connection check" in str(refused.value)


@pytest.mark.parametrize("workspace", ["77", ["77"], 77, {}, {"gid": 77}, {"gid": CANARY}], ids=repr)
def test_a_workspace_that_is_no_object_with_a_gid_breaks_the_contract(workspace: Any) -> None:
    with pytest.raises(AsanaContractError, match=r"GET /goals: object 1: field workspace(\.gid)? is") as refused:
        parse_goals([goal_json("1", workspace=workspace)], WORKSPACE)
    assert CANARY not in error_texts(refused.value)


# Each message ends with this: no block was changed, and what to do.
WHAT_TO_DO = (
    "; no block was changed. Run it again; if the error stays, Asana's API has changed: upgrade perfcopilot-goals or "
    "report it"
)
BROKEN_GOALS: list[tuple[str, dict[str, Any], str]] = [
    ("a null name", goal_json("101", name=None), "object 101: field name is null, not text"),
    (
        "a bad date",
        goal_json("101", due_on="soon"),
        "object 101: field due_on is other text, not a date written YYYY-MM-DD",
    ),
    (
        "an owner without a gid",
        goal_json("101", owner={}),
        "object 101: field owner.gid is missing, not a string of digits",
    ),
    (
        "an owner that did not come",
        without(goal_json("101"), "owner"),
        "object 101: field owner was asked for but did not come",
    ),
    (
        "a status update without its word",
        goal_json("101", current_status_update={"gid": "5"}),
        "object 101: field current_status_update.status_type was asked for but did not come",
    ),
    (
        "a gid that is a number",
        goal_json() | {"gid": 101},
        "object number 2 of the list: field gid is a number, not a string of digits",
    ),
]


@pytest.mark.parametrize(("goal", "what"), [case[1:] for case in BROKEN_GOALS], ids=[case[0] for case in BROKEN_GOALS])
@pytest.mark.fault("C33")
def test_a_goal_of_another_shape_is_reported_with_request_object_field_and_what_to_do(
    goal: dict[str, Any], what: str
) -> None:
    with pytest.raises(AsanaContractError) as refused:
        parse_goals([goal_json("100"), goal], WORKSPACE)
    assert str(refused.value) == f"AsanaContractError: GET /goals: {what}{WHAT_TO_DO}"


@usual
@given(st.one_of(json_values, st.fixed_dictionaries({"data": st.lists(nearly_goals() | json_values, max_size=4)})))
@example({"data": [goal_json("1"), goal_json("1", current_status_update={"gid": CANARY})]})
def test_any_json_is_rows_that_fit_the_table_or_a_broken_contract_that_quotes_nothing(sent: Any) -> None:
    goals = attempt(lambda: parse_goals(parse_data(sent, "GET /goals"), WORKSPACE))
    if isinstance(goals, AsanaContractError):
        assert goals.text.startswith("GET /goals: ")
        assert "; no block was changed. " in goals.text
        assert CANARY not in error_texts(goals)
    else:
        assert len(goals.rows) + goals.notes["repeated_goals"] == len(sent["data"])
        validate("raw_workspace_goals", stamp(goals.rows, "acme", MONDAY, "run-1"))


@usual
@given(st.lists(st.sampled_from(["1", "2", "3", "4"])))
def test_each_gid_is_one_row_and_rows_and_repeats_add_up_to_what_came(gids: list[str]) -> None:
    goals = parse_goals([goal_json(gid, name=f"{place}") for place, gid in enumerate(gids)], WORKSPACE)
    assert list(goals.rows["goal_gid"]) == list(dict.fromkeys(gids))
    assert len(goals.rows) + goals.notes["repeated_goals"] == len(gids)
    last = {gid: f"{place}" for place, gid in enumerate(gids)}
    assert dict(zip(goals.rows["goal_gid"], goals.rows["name"], strict=True)) == last
