"""Frames, stamps and validation: rows that do not fit are refused by rule, column and count, and no value is shown.

The tests pin the behaviour of pandera that our rules rest on. If an upgrade changes it, they say which.
"""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.errors import GoalsSchemaError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import TABLES, frame, own_columns, sql_table, stamp, validate
from perfcopilot_goals_tests.core.examples import CANARY, MONDAY, attempt, chain, error_texts, one_in

RAW = "raw_workspace_goals"
DAY = dt.date(2026, 6, 30)
ROWS: dict[str, list[tuple[Any, ...]]] = {
    RAW: [("1", 0, "One", "11", "why", 3, DAY, DAY, "partial", "yellow"), ("02", 1, "Two", *[None] * 7)],
    "owned_goals": [("1", "E-1", 1, 2, False, "One", "why", DAY, DAY, "partial"),
                    ("2", "E-1", 2, 2, False, "Two", *[None] * 4)],
    "subgoals": [("1", "8", 0, "Eight", "12", DAY, DAY, "missed"), ("1", "9", 1, "Nine", *[None] * 4)],
    "mapped_goal_rows": [("1", "1", "E-1", "goal", 0, "One", "why", DAY, DAY, "partial", "at_risk"),
                         ("1", "8", "E-1", "key_result", 1, "Eight", *[None] * 4, "on_track")],
    "prompt_blocks": [("E-1", "[GOALS]", 1, 1, 0, False, [{"line": 2, "goal_gid": "1", "key_result_gid": None}], "ok"),
                      ("E-2", "[GOALS]", 201, 200, 0, True, [], "truncated")],
}  # fmt: skip


def rows_of(table: str) -> pd.DataFrame:
    """Two good rows, stamped."""
    return stamp(frame(table, ROWS[table]), "acme", MONDAY, "run-1")


def series(*values: Any, dtype: Any = "object") -> pd.Series:
    made: pd.Series = pd.Series(list(values), dtype=dtype)
    return made


def refused(table: str, rows: pd.DataFrame) -> str:
    """The refusal's message. No value is in it, or in its causes."""
    with pytest.raises(GoalsSchemaError) as error:
        validate(table, rows)
    assert CANARY not in error_texts(error.value)
    assert list(chain(error.value)) == [error.value]
    assert str(error.value).startswith(f"GoalsSchemaError: {table} was refused and not written: ")
    return str(error.value)


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_good_rows_come_back_unchanged(table: str) -> None:
    rows = rows_of(table)
    checked = validate(table, rows)
    assert checked.equals(rows)
    assert checked.dtypes.to_dict() == rows.dtypes.to_dict()
    validate(table, rows[rows.columns[::-1]])


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_a_column_too_many_is_refused_by_name(table: str) -> None:
    assert "surplus: column_in_schema (1 values)" in refused(table, rows_of(table).assign(surplus=CANARY))


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_each_column_that_is_missing_is_refused_by_name(table: str) -> None:
    for column in TABLES[table].column_names:
        assert f"{column}: column_in_dataframe (1 values)" in refused(table, rows_of(table).drop(columns=[column]))


def test_a_duplicate_column_is_refused() -> None:
    """`strict` alone lets the duplicate pass. A load by column name would then fail, or write either of them."""
    rows = rows_of(RAW)
    assert "dataframe_column_labels_unique" in refused(RAW, pd.concat([rows, rows[["name"]]], axis=1))


@pytest.mark.parametrize("table", SLICE_TABLES)
@pytest.mark.fault("C10")
def test_each_column_with_values_of_another_type_is_refused_by_name(table: str) -> None:
    for column in TABLES[table].columns:
        if column.pg_type != "jsonb":
            other = 5 if column.dtype == "object" else CANARY
            assert f"{column.name}: dtype(" in refused(
                table, rows_of(table).assign(**{column.name: series(other, other)})
            )


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_null_is_refused_exactly_where_it_may_not_be(table: str) -> None:
    for column in TABLES[table].columns:
        if column.dtype == "object":
            nulls = rows_of(table).assign(**{column.name: series(None, None)})
            if column.nullable:
                validate(table, nulls)
            else:
                assert f"{column.name}: not_nullable (2 values)" in refused(table, nulls)


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_a_duplicate_key_is_refused(table: str) -> None:
    rows = rows_of(table)
    message = refused(table, pd.concat([rows, rows.iloc[[0]]], ignore_index=True))
    assert all(f"{column}: multiple_fields_uniqueness (2 values)" in message for column in TABLES[table].key)


@pytest.mark.parametrize(
    ("table", "column", "values", "rule"),
    [
        (RAW, "goal_gid", series(CANARY, "2"), "goal_gid: str_matches('\\A[0-9]+\\Z') (1 values)"),
        (RAW, "goal_gid", series("1\n", "2"), "goal_gid: str_matches"),
        (RAW, "goal_gid", series("١", "2"), "goal_gid: str_matches"),
        (RAW, "goal_gid", series("", "2"), "goal_gid: str_matches"),
        (RAW, "goal_gid", series(1204567890123456789, "2"), "goal_gid: dtype('str') (1 values)"),
        (RAW, "owner_gid", series(CANARY, None), "owner_gid: str_matches('\\A[0-9]+\\Z') (1 values)"),
        (RAW, "position", series(-1, -2, dtype="int64"), "position: greater_than_or_equal_to(0) (2 values)"),
        (RAW, "position", series(0.0, 1.0, dtype="float64"), "position: dtype('int64')"),
        (RAW, "position", series(0, 1, dtype="int32"), "position: dtype('int64')"),
        (RAW, "html_notes", series("x" * 1_001, CANARY * 100), "html_notes: str_length(None, 1000) (2 values)"),
        (RAW, "html_notes_chars", series(3.0, None, dtype="float64"), "html_notes_chars: dtype('Int64')"),
        (RAW, "due_on", series("2026-06-30", CANARY), "due_on: dtype('date')"),
        (RAW, "due_on", series(dt.datetime(2026, 6, 30, 12), None), "due_on: dtype('date') (1 values)"),
        (RAW, "due_on", series("2026-06-30", None, dtype="datetime64[ns]"), "due_on: dtype('date')"),
        (RAW, "name", series(b"One", CANARY), "name: dtype('str') (1 values)"),
        (RAW, "name", series(float("nan"), CANARY), "name: not_nullable (1 values)"),
        (RAW, "goal_gid", series([CANARY], {CANARY: 1}), "values that cannot be compared"),
        (RAW, "connection", series("Acme", "acme"), "connection: str_matches"),
        (RAW, "connection", series("acme\n", "acme"), "connection: str_matches"),
        (RAW, "connection", series("a" * 64, "a" * 63), "(1 values)"),
        (RAW, "synced_at", series(MONDAY.replace(tzinfo=None), MONDAY.replace(tzinfo=None), dtype="datetime64[us]"),
         "synced_at: dtype('datetime64[us, UTC]')"),
        (RAW, "synced_at", series(MONDAY, MONDAY, dtype="datetime64[us, Asia/Tokyo]"), "synced_at: dtype("),
        ("owned_goals", "truncated", series("false", "false"), "truncated: dtype('bool')"),
        ("owned_goals", "truncated", series(0, 1, dtype="int64"), "truncated: dtype('bool')"),
        ("owned_goals", "owned_rank", series(0, 201, dtype="int64"),
         "owned_rank: greater_than_or_equal_to(1) (1 values); owned_rank: less_than_or_equal_to(200) (1 values)"),
        ("owned_goals", "owned_total", series(0, 1, dtype="int64"), "owned_total: greater_than_or_equal_to(1)"),
        ("owned_goals", "description", series("x" * 1_001, None), "description: str_length(None, 1000) (1 values)"),
        ("mapped_goal_rows", "kind", series(CANARY, "goal"), "kind: isin(('goal', 'key_result')) (1 values)"),
        ("mapped_goal_rows", "status", series(CANARY, "done"), "status: isin(('on_track', "),
        ("mapped_goal_rows", "description", series("x" * 1_001, None), "description: str_length(None, 1000)"),
        ("prompt_blocks", "goals_listed", series(201, -1, dtype="int64"), "goals_listed: less_than_or_equal_to(200)"),
    ],
    ids=lambda case: "" if isinstance(case, pd.Series) else str(case)[:30],
)  # fmt: skip
@pytest.mark.fault("H4")
def test_a_value_that_breaks_a_rule_is_reported_by_column_rule_and_count(
    table: str, column: str, values: pd.Series, rule: str
) -> None:
    assert rule in refused(table, rows_of(table).assign(**{column: values}))


def test_all_breaches_are_reported_at_once() -> None:
    rows = rows_of(RAW).assign(goal_gid="x", position=-1).drop(columns=["name"])
    message = refused(RAW, rows)
    assert [message.count(column) for column in ("goal_gid: str_matches", "position: ", "name: ")] == [1, 1, 1]


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(CANARY), st.binary(max_size=2), st.dates(),
    st.datetimes(), st.just(pd.NaT), st.just(pd.NA), st.just([CANARY]), st.just({CANARY: CANARY}), st.just(np.int64(3)),
    st.sampled_from(["1", "acme", "goal"]),
)  # fmt: skip


# A quarter of the examples, because pandera is slow to refuse.
@one_in(4)
@given(st.sampled_from(SLICE_TABLES), st.data())
@pytest.mark.fault("H4")
def test_any_values_are_good_rows_or_a_refusal_that_quotes_none(table: str, data: st.DataObject) -> None:
    rows = rows_of(table)
    for column in data.draw(st.lists(st.sampled_from(TABLES[table].column_names), max_size=3, unique=True)):
        rows[column] = data.draw(st.tuples(ANYTHING, ANYTHING).map(lambda values: series(*values)))
    found = attempt(lambda: validate(table, rows))
    if isinstance(found, GoalsSchemaError):
        assert CANARY not in error_texts(found)
        assert "values" in str(found)
    else:
        assert len(found) == 2


@pytest.mark.fault("C8")
def test_in_a_frame_none_stays_none_and_whole_numbers_stay_whole() -> None:
    rows = frame(RAW, ROWS[RAW])
    second = dict(zip(rows.columns, next(rows.iloc[[1]].itertuples(index=False, name=None)), strict=True))
    nullable = ["owner_gid", "html_notes", "due_on", "start_on", "status_type", "asana_status"]
    assert [second[name] for name in nullable] == [None] * 6
    assert list(rows["goal_gid"]) == ["1", "02"]
    assert list(rows["html_notes_chars"]) == [3, pd.NA] or rows["html_notes_chars"].isna().tolist() == [False, True]
    assert type(rows["due_on"].iloc[0]) is dt.date


def test_citations_of_equal_length_stay_lists_one_for_each_row() -> None:
    blocks = [(f"E-{n}", "[GOALS]", 1, 1, 0, False, [{"line": 2}, {"line": 3}], "ok") for n in range(3)]
    assert list(frame("prompt_blocks", blocks)["citations"]) == [[{"line": 2}, {"line": 3}]] * 3


def test_a_frame_may_have_named_columns_only_and_takes_no_row_of_another_length() -> None:
    assert list(frame(RAW, [("1", 0)], ["goal_gid", "position"]).dtypes.astype(str)) == ["object", "int64"]
    for rows in ([("1",)], [("1", 0), ("2",)]):
        with pytest.raises(ValueError, match="zip"):
            frame(RAW, rows, ["goal_gid", "position"])


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_a_stamp_puts_its_columns_first_and_leaves_the_types_alone(table: str) -> None:
    for rows in (frame(table, []), frame(table, ROWS[table]), frame(table, ROWS[table]).iloc[::-1]):
        stamped = stamp(rows, "acme", MONDAY, "run-1")
        assert list(stamped.columns) == ["connection", "synced_at", "run_id", *own_columns(table)]
        assert {c: str(dtype) for c, dtype in stamped.dtypes.items()} == {
            c.name: c.dtype for c in TABLES[table].columns
        }
        assert stamped[own_columns(table)].equals(rows)
        assert set(stamped["connection"]) | set(stamped["run_id"]) <= {"acme", "run-1"}


def test_a_stamp_of_another_time_zone_is_the_same_moment_in_utc() -> None:
    tokyo = MONDAY.astimezone(dt.timezone(dt.timedelta(hours=9)))
    assert stamp(frame(RAW, ROWS[RAW]), "acme", tokyo, "run-1").equals(rows_of(RAW))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_for_statements_has_the_columns_types_and_key_of_its_model(name: str) -> None:
    table, declared = sql_table(name), TABLES[name]
    assert (table.schema, table.name) == (SCHEMA, name)
    assert table.c.keys() == declared.column_names
    assert {column.name for column in table.primary_key} == set(declared.key)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    types = [column.type.compile(dialect).lower() for column in table.c]
    assert types == [column.pg_type for column in declared.columns]
    assert sql_table(name) is table
