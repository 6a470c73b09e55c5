"""A roster's bytes: what Excel saves is read. A file that is no text is reported by its kind and never quoted."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.roster import decode_roster
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals_tests.core.examples import CANARY, attempt, error_texts, parse_flawless_roster, usual

TEXT = f"employee_id\tfull_name\temail\tasana_user_gid\r\nE-1\tZoë {CANARY} 社\tzoe@example.com\t11\r\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8-bom", "utf-16-le", "utf-16-be"],
)
@pytest.mark.fault("D28")
def test_utf_8_and_utf_16_as_excel_saves_unicode_text_are_the_same_roster(content: bytes) -> None:
    (employee,) = parse_flawless_roster(decode_roster(content, "people.csv"))
    assert (employee.employee_id, employee.full_name, employee.asana_user_gid) == ("E-1", f"Zoë {CANARY} 社", "11")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (TEXT.encode("utf-16-le"), "looks like UTF-16 without a byte-order mark"),
        (TEXT.encode("utf-16-be"), "looks like UTF-16 without a byte-order mark"),
        ((codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"))[:-1], "is not whole UTF-16"),
        (TEXT.replace("社", "").encode("latin-1"), "is not UTF-8 (line 2, byte 50)"),
        (b"PK\x03\x04" + CANARY.encode() + b"\xff", "is an Excel workbook, not a CSV file"),
        (b"\xd0\xcf\x11\xe0" + CANARY.encode(), "is an Excel workbook, not a CSV file"),
    ],
    ids=["utf-16-le-no-mark", "utf-16-be-no-mark", "utf-16-cut", "latin-1", "xlsx", "xls"],
)
@pytest.mark.fault("D28")
def test_a_file_of_another_kind_is_reported_by_its_kind_with_how_to_save_it(content: bytes, says: str) -> None:
    with pytest.raises(GoalsConfigError) as refused:
        decode_roster(content, "people.csv")
    assert str(refused.value) == (
        f'GoalsConfigError: people.csv {says}; nothing was imported. Save it as "CSV UTF-8" and import it again'
    )
    assert CANARY not in error_texts(refused.value)


@usual
@given(st.binary(max_size=60))
def test_any_bytes_are_a_text_or_one_of_our_errors_that_does_not_quote_them(content: bytes) -> None:
    text = attempt(lambda: decode_roster(content + CANARY.encode() + b"\xff", "people.csv"))
    if isinstance(text, GoalsConfigError):
        assert CANARY not in error_texts(text)
