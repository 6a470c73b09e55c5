"""The roster's file: every form that spreadsheets save is read. Errors name lines by number and never quote them."""

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.roster import check_gid, parse_roster, shared_gids
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals_tests.core.examples import CANARY, attempt, characters, error_texts, parse_flawless_roster, usual

HEADER = "employee_id,full_name,email,asana_user_gid"
ADA = Employee("E-1", "Ada Thimble", "ada@example.com", "11")
BO = Employee("E-2", "Bo Reed", "bo@example.com", None)


def separated(by: str) -> str:
    """Ada's and Bo's roster with this separator between its fields."""
    lines = [HEADER, "E-1,Ada Thimble,ada@example.com,11", "E-2,Bo Reed,bo@example.com,"]
    return "\n".join(line.replace(",", by) for line in lines)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\nE-1,Ada Thimble,ada@example.com,11\nE-2,Bo Reed,bo@example.com,\n",
        f"{HEADER}\nE-1,Ada Thimble,ada@example.com,11\nE-2,Bo Reed,bo@example.com,",
        f"\ufeff{HEADER}\r\nE-1,Ada Thimble,ada@example.com,11\r\nE-2,Bo Reed,bo@example.com,\r\n",
        f"{HEADER}\rE-1,Ada Thimble,ada@example.com,11\rE-2,Bo Reed,bo@example.com,\r",
        "asana_user_gid,email,full_name,employee_id\n11,ada@example.com,Ada Thimble,E-1\n,bo@example.com,Bo Reed,E-2\n",
        "employee_id;full_name;email;asana_user_gid\nE-1;Ada Thimble;ada@example.com;11\nE-2;Bo Reed;bo@example.com;\n",
        "team,employee_id,full_name,email,asana_user_gid\n"
        '"a, b",E-1,Ada Thimble,ada@example.com,11\n,E-2,Bo Reed,bo@example.com,\n',
        " Employee_ID , FULL_NAME,Email ,Asana_User_Gid\n E-1 , Ada Thimble ,ada@example.com , 11 \n"
        "E-2,\tBo Reed,bo@example.com,\xa0\n",
        f"{HEADER}\n\n\nE-1,Ada Thimble,ada@example.com,11\n,,,\n   \nE-2,Bo Reed,bo@example.com,\n\n",
        '"employee_id","full_name","email","asana_user_gid"\n"E-1","Ada Thimble","ada@example.com","11"\n'
        '"E-2","Bo Reed","bo@example.com",""\n',
        f"{HEADER},,\nE-1,Ada Thimble,ada@example.com,11,,\nE-2,Bo Reed,bo@example.com,,,\n",
        *(separated(by) for by in "\t|"),
        *(f"sep={by}\n{separated(by)}" for by in ",;\t|:§"),
        "\ufeffSEP=;\r\n" + separated(";").replace("\n", "\r\n"),
        f"sep=;\r{separated(';')}".replace("\n", "\r"),
        f'"sep=;"\n{separated(";")}',
        f"sep=;;;;\n{separated(';')}",
        f'"sep=,",,,\n{separated(",")}',
        # Names with the delimiter of another file in them.
        separated("|").replace("employee_id", '"team, unit; place"|employee_id', 1).replace("\nE-", "\n|E-"),
    ],
    ids=["plain", "no-last-line-end", "bom-crlf", "cr-only", "other-order", "semicolons", "other-columns", "blanks",
         "empty-lines", "quoted", "empty-columns", "tabs", "pipes", "sep-comma", "sep-semicolon", "sep-tab", "sep-pipe",
         "sep-colon", "sep-section", "sep-bom-crlf", "sep-cr", "sep-quoted", "sep-resaved", "sep-resaved-quoted",
         "delimiters-in-a-name"],
)  # fmt: skip
@pytest.mark.fault("D26")
def test_one_roster_in_many_dresses_is_the_same_roster(text: str) -> None:
    assert parse_flawless_roster(text) == [ADA, BO]


def test_commas_quotes_and_semicolons_inside_quotes_are_part_of_the_value() -> None:
    (employee,) = parse_flawless_roster(f'{HEADER}\nE-1,"Thimble, Ada ""the"" ;-)",ada@example.com,11\n')
    assert employee.full_name == 'Thimble, Ada "the" ;-)'


def test_a_header_alone_is_nobody_and_ids_may_be_of_any_script() -> None:
    assert parse_flawless_roster(HEADER) == []
    (employee,) = parse_flawless_roster(f"{HEADER}\nÄ-1/٢ 社員,نیلوفر می\u200cخواهد,,0011\n")
    assert employee == Employee("Ä-1/٢ 社員", "نیلوفر می\u200cخواهد", "", "0011")


def test_what_postgres_cannot_hold_is_replaced() -> None:
    (employee,) = parse_flawless_roster(f"{HEADER}\nE-1,A\x00da,a\ud800@example.com,\n")
    assert (employee.full_name, employee.email) == ("A\ufffdda", "a\ufffd@example.com")


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("", "missing: employee_id, full_name, email, asana_user_gid"),
        ("\nemployee_id,full_name,email,asana_user_gid", "missing: employee_id"),
        ("employee_id,full_name,email", "missing: asana_user_gid"),
        (f"E-1,{CANARY},ada@example.com,11", "missing: employee_id, full_name, email, asana_user_gid"),
        (f"{HEADER},ASANA_USER_GID ", "more than once: asana_user_gid"),
    ],
    ids=["empty", "blank-first-line", "short", "no-header", "twice"],
)
def test_a_first_line_that_does_not_name_each_column_once_is_refused(header: str, named: str) -> None:
    with pytest.raises(GoalsConfigError, match=named) as refused:
        parse_flawless_roster(f"{header}\nE-1,{CANARY},ada@example.com,11\n")
    assert CANARY not in error_texts(refused.value)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("ID;Name;Mail;Asana", "found: ID, Name, Mail, Asana"),
        ("sep=;\nID;Name;Mail;Asana", "found: ID, Name, Mail, Asana"),
        ("employee_id\tName 1\te@mail", "found: employee_id, Name 1, e@mail"),
        ("I\x1b[JD;Na\u202eme; ;\x07", "found: I[JD, Name"),
        (f"{'x' * 50};Name", f"found: {'x' * 40}, Name"),
        (";".join("abcdefghijklmno"), "found: a, b, c, d, e, f, g, h, i, j, k, l and 3 more"),
        (HEADER.replace(",", ":"), "its names are separated by ':', but it was read as separated by ','; use a"),
        (HEADER.replace(",", "\x01"), "its names are separated by U+0001, but"),
        (HEADER.replace(",", "  "), "its names are separated by blanks, but"),
        (f"sep=;\n{HEADER}", "its names are separated by ',', but it was read as separated by ';'"),
        (f"sep=;\n{separated(chr(9))}", "its names are separated by a tab, but it was read as separated by ';'"),
        ("employee_id:full_name/email", "its names are separated by something unclear"),
        (f"E-1,{CANARY},,", "it looks like data; put the header in a line above it"),
        (f"{CANARY},ada@example.com,,", "it looks like data"),
        (f"{CANARY};٣;;", "it looks like data"),
        ("", "it is empty"),
        (" ; ;", "it is empty"),
    ],
    ids=["other-names", "below-sep", "ours-too", "controls", "long", "many", "colon", "unseen", "blanks",
         "sep-is-wrong", "sep-for-tabs", "mixed", "id", "address", "arabic", "empty", "blank"],
)  # fmt: skip
@pytest.mark.fault("D27")
def test_a_header_under_other_names_is_reported_with_what_was_found_and_data_is_not(header: str, says: str) -> None:
    with pytest.raises(GoalsConfigError) as refused:
        parse_flawless_roster(f"{header}\nE-1,{CANARY},ada@example.com,11\n")
    assert says in str(refused.value)
    assert CANARY not in error_texts(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("line", ["sep=", "sep=;,", "sep=ab", 'sep="', "sep=;x", "SEP= "])
@pytest.mark.fault("D26")
def test_a_sep_line_without_a_single_character_is_reported(line: str) -> None:
    with pytest.raises(GoalsConfigError, match="first line is sep= but not followed by one character"):
        parse_roster(f"{line}\n{HEADER}\n")


@pytest.mark.fault("D26")
def test_below_a_sep_line_a_bad_line_has_the_number_that_an_editor_shows() -> None:
    file = parse_roster(f'sep=;\n{separated(";")}\nE-3;;;\nE-4;"D\nE-5;E;;\n')
    assert {number: employee.employee_id for number, employee in file.lines.items()} == {3: "E-1", 4: "E-2"}
    assert sorted(file.bad) == [5, 6, 7]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f",{CANARY},x@example.com,12", "employee_id is empty"),
        (f"E\x07{CANARY},Ada,x@example.com,12", "employee_id is empty or has characters that cannot be printed"),
        (f"E\u202e,{CANARY},x@example.com,12", "employee_id is empty or has characters that cannot be printed"),
        (f"E-9,,{CANARY}@example.com,12", "full_name is empty"),
        (f"E-9,{CANARY},x@example.com,{CANARY}", "asana_user_gid is not digits only"),
        (f"E-9,{CANARY},x@example.com,1.2E+15", "asana_user_gid is not digits only"),
        (f"E-9,{CANARY},x@example.com,١٢٣", "asana_user_gid is not digits only"),
        (f"E-9,{CANARY},x@example.com,１２", "asana_user_gid is not digits only"),
        (f"E-9,{CANARY},x@example.com,12 13", "asana_user_gid is not digits only"),
        (f"E-9,{CANARY},x@example.com,-1", "asana_user_gid is not digits only"),
        (f"E-9,{CANARY},x@example.com", "fewer fields than the header"),
        (f"E-9,Thimble, {CANARY},x@example.com,12", "more fields than the header"),
        (f'E-9,"{CANARY},x@example.com,12', "fewer fields than the header"),
        (f"E-9,{CANARY}\u2028x,x@example.com,12", "full_name or email spans several lines"),
    ],
    ids=["no-id", "bell", "bidi", "no-name", "text", "spreadsheet", "arabic", "fullwidth", "two", "negative", "fewer",
         "more", "open-quote", "separator"],
)  # fmt: skip
def test_a_bad_line_is_named_by_number_and_never_quoted(line: str, problem: str) -> None:
    with pytest.raises(GoalsConfigError) as refused:
        parse_flawless_roster(f"{HEADER}\nE-1,Ada Thimble,ada@example.com,11\n\n{line}")
    assert f"nothing was imported; line 4: {problem}" in str(refused.value)
    assert CANARY not in error_texts(refused.value)
    assert "@example.com" not in error_texts(refused.value)


def test_a_roster_may_name_managers_and_a_blank_names_none() -> None:
    text = f"{HEADER}, Manager_Email\nE-1,Ada,ada@example.com,11, boss@example.com \nE-2,Bo,bo@example.com,12,\n"
    file = parse_roster(text)
    assert [e.manager_email for e in file.lines.values()] == ["boss@example.com", None]
    assert (file.has_managers, file.ignored) == (True, [])
    without = parse_roster(f"{HEADER}\nE-1,Ada,ada@example.com,11\n")
    assert [e.manager_email for e in without.lines.values()] == [None]
    assert not without.has_managers


def test_a_column_of_managers_twice_is_refused_as_any_of_ours_is() -> None:
    with pytest.raises(GoalsConfigError, match="more than once: manager_email"):
        parse_roster(f"{HEADER},manager_email,manager_email\nE-1,Ada,ada@example.com,11,a@x,b@x\n")


def test_a_gid_with_a_line_end_inside_its_quotes_is_stripped_like_any_blank() -> None:
    (employee,) = parse_flawless_roster(f'{HEADER}\nE-1,Ada,ada@example.com,"11\n"\n')
    assert employee.asana_user_gid == "11"


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_two_stray_quotes_do_not_give_one_person_the_gid_of_the_next(end: str) -> None:
    """As CSV these two lines are one good record: E-1, whose name swallowed a line, with Bo's gid 12."""
    text = end.join([HEADER, 'E-1,"Ada,ada@example.com,11', 'E-2,Bo",bo@example.com,12', ""])
    with pytest.raises(GoalsConfigError, match="line 3: full_name or email spans several lines"):
        parse_flawless_roster(text)


def test_a_field_of_a_megabyte_is_refused_in_the_header_too() -> None:
    for text in (f'"{CANARY * 100_000}', f'{HEADER}\nE-1,"{CANARY * 100_000}'):
        with pytest.raises(GoalsConfigError) as refused:
            parse_flawless_roster(text)
        assert CANARY not in error_texts(refused.value)


def test_every_bad_line_is_named_however_many_they_are() -> None:
    with pytest.raises(GoalsConfigError) as refused:
        parse_flawless_roster("\n".join([HEADER, *["E-1,,,"] * 25]))
    assert re.findall(r"line (\d+): full_name is empty", str(refused.value)) == [str(n) for n in range(2, 27)]


def test_twenty_bad_lines_among_five_thousand_are_those_that_are_named_and_the_others_are_read() -> None:
    chance = random.Random(7)
    wrong = sorted(chance.sample(range(2, 5_002), 20))
    spoilt = ["E-{n},,x@example.com,", "E-{n},A,x@example.com,1.2E+15", "E-{n},A", ",A,x@example.com,", "E-{n},A,b,1,2"]
    lines = [
        (chance.choice(spoilt) if n in wrong else "E-{n},Ada,ada@example.com,{n}").format(n=n) for n in range(2, 5_002)
    ]
    file = parse_roster("\n".join([HEADER, *lines]))
    assert sorted(file.bad) == wrong
    assert [e.employee_id for e in file.lines.values()] == [f"E-{n}" for n in range(2, 5_002) if n not in wrong]


def test_lines_that_a_stray_quote_swallowed_are_all_named() -> None:
    """Otherwise importing only the good lines would silently leave out the people in them."""
    file = parse_roster(f'{HEADER}\nE-1,A,,\nE-2,"B,,\nE-3,C,,\nE-4,D",,\nE-5,E,,\n')
    assert sorted(file.bad) == [3, 4, 5]
    assert [e.employee_id for e in file.lines.values()] == ["E-1", "E-5"]


def test_after_a_field_of_a_megabyte_the_lines_are_read_on() -> None:
    file = parse_roster(f"{HEADER}\nE-1,{'x' * 200_000},,\nE-2,B,,\n")
    assert list(file.bad) == [2]
    assert [e.employee_id for e in file.lines.values()] == ["E-2"]


def test_lines_that_contradict_each_other_are_all_bad() -> None:
    file = parse_roster(f"{HEADER}\nE-1,A,,11\nE-2,B,,11\nE-3,C,,\nE-3,C,,13\nE-4,D,,14\n")
    assert file.bad == {
        2: "asana_user_gid 11 is claimed by E-1, E-2",
        3: "asana_user_gid 11 is claimed by E-1, E-2",
        4: "employee_id E-3 appears 2 times",
        5: "employee_id E-3 appears 2 times",
    }
    assert list(file.lines) == [6]


def test_columns_that_are_not_ours_are_named() -> None:
    assert parse_roster(f"Team, ,{HEADER},START\n,,E-1,A,,,\n").ignored == ["team", "start"]
    assert parse_roster(f"{HEADER}\n").ignored == []


def test_a_duplicate_employee_and_a_gid_claimed_twice_are_reported_by_id() -> None:
    lines = [f"E-1,{CANARY},,11", f"E-2,{CANARY},,11", f"E-3,{CANARY},,12", f"E-3,{CANARY},,13", f"E-3,{CANARY},,"]
    with pytest.raises(GoalsConfigError) as refused:
        parse_flawless_roster("\n".join([HEADER, *lines]))
    assert "employee_id E-3 appears 3 times" in str(refused.value)
    assert "asana_user_gid 11 is claimed by E-1, E-2" in str(refused.value)
    assert "12" not in str(refused.value)
    assert CANARY not in error_texts(refused.value)


def test_any_number_may_be_without_a_gid_and_gids_that_are_equal_as_numbers_differ() -> None:
    assert len(parse_flawless_roster(f"{HEADER}\nE-1,A,,\nE-2,B,,\nE-3,C,,1\nE-4,D,,01\n")) == 4
    assert shared_gids([ADA, BO, Employee("E-3", "C", "", None)]) == {}


def test_a_roster_of_fifty_thousand_is_parsed_in_seconds() -> None:
    """Counting each id among all others once took minutes."""
    began = time.monotonic()
    assert len(parse_flawless_roster("\n".join([HEADER, *[f"E-{n},Ada,,{n}" for n in range(50_000)]]))) == 50_000
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("gid", ["0", "00123", "1204567890123456789", " 12", "12\n", "\u00a012\t"], ids=ascii)
def test_a_gid_of_digits_is_given_back_without_the_blanks_around_it(gid: str) -> None:
    assert check_gid(gid, "the workspace GID", "Copy it") == gid.strip()


@pytest.mark.parametrize("gid", ["", " ", "1 2", "1.2E+15", "١٢٣", "１２", "-1", "²", CANARY], ids=ascii)
def test_a_gid_of_anything_else_is_an_error_to_correct_and_is_not_quoted(gid: str) -> None:
    with pytest.raises(GoalsConfigError, match="the workspace GID must be Asana's numeric id") as refused:
        check_gid(gid, "the workspace GID", "Copy it")
    assert CANARY not in error_texts(refused.value)


PIECES = st.sampled_from([",", ";", '"', "\n", "\r\n", HEADER, "E-1", "11", CANARY, "\ufeff"])


@usual
@given(st.lists(PIECES | st.text(characters, max_size=3)).map("".join), st.booleans())
def test_any_text_is_a_roster_or_one_of_our_errors_that_quotes_no_name(text: str, has_header: bool) -> None:
    employees = attempt(lambda: parse_flawless_roster(f"{HEADER}\n{text}" if has_header else text))
    if isinstance(employees, GoalsConfigError):
        # An error may show ids and a header, and so also a text in their place.
        may_tell = [words for words in ("appears", "is claimed by", "found: ") if words in str(employees)]
        assert may_tell or CANARY not in error_texts(employees)
    else:
        assert all(e.employee_id and e.full_name for e in employees)
        assert all(e.asana_user_gid is None or e.asana_user_gid.isascii() for e in employees)
        assert len({e.employee_id for e in employees}) == len(employees)
        assert not shared_gids(employees)
