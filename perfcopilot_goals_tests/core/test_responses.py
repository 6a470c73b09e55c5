"""Fields of Asana's JSON: their types are checked before pandas can coerce them, and no error shows a value."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.responses import (
    parse_gid,
    parse_optional_date,
    parse_optional_object,
    parse_optional_text,
    parse_owner_gid,
    parse_status_type,
    parse_text,
    storable,
)
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals_tests.core.examples import CANARY, characters, error_texts, usual

ODD = [CANARY, [CANARY], {CANARY: CANARY}, True, 0, 1.5, float("nan")]


@pytest.mark.parametrize("gid", ["1", "00123", "1204567890123456789", "9" * 60], ids=len)
@pytest.mark.fault("C4")
def test_a_gid_is_kept_as_it_came(gid: str) -> None:
    assert parse_gid(json.loads(json.dumps({"gid": gid}))) == gid


@pytest.mark.parametrize(
    "gid",
    [1204567890123456789, 1.0, True, None, "", " 1", "1\n", "1.2E+18", "-1", "١٢٣", "１", "²", CANARY, ["1"],
     {"gid": "1"}],
    ids=repr,
)  # fmt: skip
@pytest.mark.fault("C3")
def test_a_gid_that_is_no_string_of_ascii_digits_breaks_the_contract(gid: Any) -> None:
    with pytest.raises(AsanaContractError) as refused:
        parse_gid({"gid": gid})
    assert CANARY not in error_texts(refused.value)


def test_an_object_without_a_gid_breaks_the_contract() -> None:
    with pytest.raises(AsanaContractError, match="field gid is missing, not a string of digits"):
        parse_gid({})


READERS: list[Callable[[Any, str], Any]] = [parse_text, parse_optional_text, parse_optional_date, parse_optional_object]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.fault("B20")
def test_a_field_that_did_not_come_is_never_read_as_null(read: Callable[[Any, str], Any]) -> None:
    with pytest.raises(AsanaContractError, match=r"object 7: field due_on was asked for but did not come"):
        read({"gid": "7"}, "due_on")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((parse_text, value) for value in [None, *ODD[1:]]),
        *((parse_optional_text, value) for value in ODD[1:]),
        *((parse_optional_date, value) for value in ODD),
        *((parse_optional_object, value) for value in [value for value in ODD if not isinstance(value, dict)]),
    ],
    ids=lambda case: getattr(case, "__name__", repr(case)),
)
@pytest.mark.fault("C10")
def test_a_value_of_another_type_is_refused_by_goal_field_and_kind_but_not_quoted(
    read: Callable[[Any, str], Any], value: Any
) -> None:
    with pytest.raises(AsanaContractError, match=r"^AsanaContractError: object 7: field name is .+, not ") as refused:
        read({"gid": "7", "name": value}, "name")
    assert CANARY not in error_texts(refused.value)


@pytest.mark.parametrize("gid", [CANARY, [CANARY], {CANARY: 1}, 5, None], ids=repr)
def test_a_text_in_place_of_a_gid_is_not_quoted_by_an_error_about_another_field(gid: Any) -> None:
    for broken in ({"gid": gid}, {"gid": gid, "name": 5}):
        with pytest.raises(AsanaContractError, match="an object without a gid") as refused:
            parse_text(broken, "name")
        assert CANARY not in error_texts(refused.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2026-02-28", dt.date(2026, 2, 28)), ("0001-01-01", dt.date(1, 1, 1)), ("9999-12-31", dt.date.max), (None, None)],
)
def test_a_date_is_read(value: str | None, expected: dt.date | None) -> None:
    assert parse_optional_date({"gid": "1", "due_on": value}, "due_on") == expected


@pytest.mark.parametrize(
    "value",
    [
        "2025-01-01T00:00:00+09:00", "2025-01-01T00:00:00Z", "2025-01-01 ", "2025-01-01\n", "20250101", "2025-1-1", "",
        "2025-W01-1", "2025-02-29", "2025-13-01", "0000-01-01", "٢٠٢٥-٠١-٠١", "１２３４-01-01", 1735689600, 20250101,
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.fault("C12")
def test_a_date_with_a_time_zone_or_in_another_form_is_refused(value: Any) -> None:
    with pytest.raises(AsanaContractError, match="not a date written YYYY-MM-DD"):
        parse_optional_date({"gid": "1", "due_on": value}, "due_on")


@pytest.mark.fault("B14")
def test_the_owner_is_known_by_gid_and_may_be_nobody_or_without_name_or_email() -> None:
    assert parse_owner_gid({"gid": "1", "owner": None}) is None
    assert parse_owner_gid({"gid": "1", "owner": {"gid": "12", "name": None, "email": None}}) == "12"
    assert parse_owner_gid({"gid": "1", "owner": {"gid": "12"}}) == "12"


@pytest.mark.parametrize("owner", [{}, {"gid": 12}, {"gid": None}, {"gid": CANARY}, {"name": CANARY}, CANARY], ids=repr)
def test_an_owner_without_a_gid_breaks_the_contract_and_the_error_names_the_goal(owner: Any) -> None:
    with pytest.raises(AsanaContractError, match=r"object 101: field owner") as refused:
        parse_owner_gid({"gid": "101", "owner": owner})
    assert CANARY not in error_texts(refused.value)


def test_the_status_is_the_word_of_the_latest_update_raw() -> None:
    assert parse_status_type({"gid": "1", "current_status_update": None}) is None
    assert parse_status_type({"gid": "1", "current_status_update": {"gid": "2", "status_type": None}}) is None
    assert parse_status_type({"gid": "1", "current_status_update": {"gid": "2", "status_type": "Odd"}}) == "Odd"


@pytest.mark.parametrize(
    "broken",
    [{}, {"gid": CANARY}, {"status_type": 5}, {"gid": "9", "status_type": [CANARY]}, [], CANARY, False],
    ids=repr,
)
def test_an_update_without_its_word_breaks_the_contract_and_the_error_names_the_goal(broken: Any) -> None:
    with pytest.raises(AsanaContractError, match="object 101: field current_status_update") as refused:
        parse_status_type({"gid": "101", "current_status_update": broken})
    assert CANARY not in error_texts(refused.value)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("x\udfffy", "x\ufffdy"),
        ("😀 \x01\x7f\x85\u2028\ufffe\uffff\ufeff", "😀 \x01\x7f\x85\u2028\ufffe\uffff\ufeff"),
        ("", ""),
    ],
    ids=ascii,
)
@pytest.mark.fault("C1", "C2")
def test_only_what_postgres_cannot_hold_is_replaced(text: str, kept: str) -> None:
    assert storable(text) == kept


def test_a_pair_of_surrogates_in_json_is_one_character_and_a_lone_one_is_replaced() -> None:
    sent = json.loads(r'{"gid": "1", "name": "\ud83d\ude00 \ud83d \u0000"}')
    assert parse_text(sent, "name") == "😀 \ufffd \ufffd"


@usual
@given(st.text(characters))
@pytest.mark.fault("C1", "C2")
def test_a_storable_text_has_the_same_length_and_can_be_sent_to_postgres(text: str) -> None:
    kept = storable(text)
    assert len(kept) == len(text)
    assert "\x00" not in kept
    assert kept.encode("utf-8").decode("utf-8") == kept
    assert all(was == now or now == "\ufffd" for was, now in zip(text, kept, strict=True))
