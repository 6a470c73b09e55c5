"""Who reports to whom."""

from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.reports import find_reports
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals_tests.core.examples import usual


def roster(*pairs: tuple[str, str | None]) -> list[Employee]:
    """Employees E1, E2, … with these e-mails and these managers."""
    return [
        Employee(f"E{n}", "Name", f"{email}@x.y" if email else "", None, f"{manager}@x.y" if manager else None)
        for n, (email, manager) in enumerate(pairs, start=1)
    ]


def test_reports_are_found_direct_and_below() -> None:
    people = roster(("boss", None), ("ana", "boss"), ("bo", "ana"), ("cy", "bo"), ("di", None), ("eve", "di"))
    assert find_reports("boss@x.y", people) == {"E2", "E3", "E4"}
    assert find_reports("ana@x.y", people) == {"E3", "E4"}
    assert find_reports("cy@x.y", people) == set()


def test_addresses_are_compared_without_case_and_blanks() -> None:
    assert find_reports(" BOSS@x.y ", roster(("ana", "Boss"))) == {"E1"}


def test_an_empty_address_manages_nobody() -> None:
    people = [*roster(("", None), ("ana", None)), Employee("E9", "Name", "", None, "  ")]
    for address in ("", "  ", "nobody"):
        assert find_reports(address, people) == set()


def test_people_without_an_address_report_and_have_no_reports() -> None:
    assert find_reports("boss@x.y", roster(("", "boss"), ("ana", ""))) == {"E1"}


def test_in_a_circle_each_is_found_once_and_nobody_is_their_own_report() -> None:
    people = roster(("ana", "cy"), ("bo", "ana"), ("cy", "bo"), ("di", "di"))
    assert find_reports("ana@x.y", people) == {"E2", "E3"}
    assert find_reports("di@x.y", people) == set()


NAMES = st.sampled_from(["a", "b", "c", "d", ""])


@usual
@given(st.lists(st.tuples(NAMES, st.one_of(st.none(), NAMES)), max_size=8))
def test_any_roster_has_an_end_and_never_shows_a_manager_themselves(pairs: list[tuple[str, str | None]]) -> None:
    people = roster(*pairs)
    for name in "abcd":
        found = find_reports(f"{name}@x.y", people)
        assert all(e.email != f"{name}@x.y" for e in people if e.employee_id in found)
        assert found >= {e.employee_id for e in people if e.manager_email == f"{name}@x.y" and e.email != f"{name}@x.y"}
