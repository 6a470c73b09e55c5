"""What an import would change: nobody is unmapped by a blank, and nobody gets somebody else's Asana user."""

from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.roster_changes import Changes, plan_import
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals_tests.core.examples import usual


def person(number: int, gid: str | None = None, name: str = "Ada") -> Employee:
    return Employee(f"E{number}", name, f"{number}@example.com", gid)


def planned(roster: list[Employee], *file: Employee, replaces: bool = False) -> Changes:
    return plan_import(roster, dict(enumerate(file, 2)), replaces=replaces)


def test_new_changed_and_unchanged_employees_are_told_apart() -> None:
    changes = planned([person(1, "1"), person(2, "2"), person(4)], person(1, "1"), person(2, "2", "Bo"), person(3))
    assert changes == Changes(
        written=[person(2, "2", "Bo"), person(3)],
        added=["E3"],
        changed=["E2"],
        remapped=[],
        kept=[],
        absent=["E4"],
        unchanged=1,
        bad={},
    )


def test_a_blank_keeps_who_is_mapped_and_the_rest_of_the_line_counts() -> None:
    changes = planned([person(1, "1"), person(2, "2"), person(3)], person(1), person(2, None, "Bo"), person(3))
    assert (changes.written, changes.kept, changes.unchanged) == ([person(2, "2", "Bo")], ["E1", "E2"], 2)


def managed(number: int, manager: str | None) -> Employee:
    return Employee(f"E{number}", "Ada", f"{number}@example.com", None, manager)


def test_a_file_without_managers_leaves_them_and_one_with_a_blank_takes_them_away() -> None:
    roster = [managed(1, "boss@example.com"), managed(2, None)]
    lines = {2: managed(1, None), 3: managed(2, None), 4: managed(3, None)}
    without = plan_import(roster, lines, has_managers=False)
    assert (without.written, without.unchanged) == ([managed(3, None)], 2)
    blank = plan_import(roster, lines, has_managers=True)
    assert (blank.written, blank.changed) == ([managed(1, None), managed(3, None)], ["E1"])
    named = plan_import(roster, {2: managed(2, "boss@example.com")})
    assert named.written == [managed(2, "boss@example.com")]


def test_an_employee_who_gets_another_user_is_reported() -> None:
    changes = planned([person(1, "1"), person(2)], person(1, "9"), person(2, "2"))
    assert (changes.changed, changes.remapped) == (["E1", "E2"], ["E1"])


def test_two_employees_may_swap_their_users() -> None:
    changes = planned([person(1, "1"), person(2, "2")], person(1, "2"), person(2, "1"))
    assert (changes.remapped, changes.bad) == (["E1", "E2"], {})


def test_a_line_that_claims_a_mapped_employees_user_is_bad_whether_that_one_is_in_the_file_or_not() -> None:
    told = "asana_user_gid 1 belongs to E1 in the roster; if E2 is right, run employee unmap for E1 first"
    for file in ([person(2, "1")], [person(2, "1"), person(1)]):
        changes = planned([person(1, "1"), person(2)], *file)
        assert changes.bad == {2: told}
        assert changes.written == []


def test_a_line_that_waits_for_the_user_of_a_bad_line_is_bad_too() -> None:
    """E1 does not get user 2, so it keeps user 1, which E3 claims."""
    roster = [person(1, "1"), person(2, "2"), person(3)]
    assert sorted(planned(roster, person(1, "2"), person(2), person(3, "1")).bad) == [2, 4]


def test_only_a_replace_frees_the_users_of_those_who_are_not_in_the_file() -> None:
    roster = [person(1, "1"), person(2)]
    assert planned(roster, person(2, "1")).bad
    freed = planned(roster, person(2, "1"), replaces=True)
    assert (freed.written, freed.absent, freed.bad) == ([person(2, "1")], ["E1"], {})


EMPLOYEES = st.builds(person, st.integers(1, 5), st.sampled_from([None, "1", "2", "3"]), st.sampled_from("AB"))


def _consistent(people: list[Employee]) -> list[Employee]:
    """One line per employee and each user once, which is all that `parse_roster` and the table allow."""
    found: dict[str, Employee] = {}
    for one in people:
        gids = {e.asana_user_gid for e in found.values()} - {None}
        if one.employee_id not in found and one.asana_user_gid not in gids:
            found[one.employee_id] = one
    return list(found.values())


@usual
@given(st.lists(EMPLOYEES).map(_consistent), st.lists(EMPLOYEES).map(_consistent), st.booleans())
def test_after_any_import_users_are_unique_and_nobody_lost_theirs_by_a_blank(
    roster: list[Employee], file: list[Employee], replaces: bool
) -> None:
    changes = planned(roster, *file, replaces=replaces)
    after = {e.employee_id: e for e in roster if not (replaces and e.employee_id in changes.absent)}
    after |= {e.employee_id: e for e in changes.written}
    gids = [e.asana_user_gid for e in after.values() if e.asana_user_gid]
    assert len(gids) == len(set(gids))
    blank = {e.employee_id for e in file if e.asana_user_gid is None}
    for before in roster:
        if before.employee_id in blank:
            assert after[before.employee_id].asana_user_gid == before.asana_user_gid
    good = [e for number, e in enumerate(file, 2) if number not in changes.bad]
    assert all(after[e.employee_id].asana_user_gid == e.asana_user_gid for e in good if e.asana_user_gid)
    again = plan_import(list(after.values()), dict(enumerate(good, 2)), replaces=replaces)
    assert (again.written, again.bad) == ([], {})
