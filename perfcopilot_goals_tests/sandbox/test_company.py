"""The sample company has every case that it promises. Removing one breaks a test here."""

import unicodedata
from collections import Counter

import pytest

from perfcopilot_goals.sandbox import Goal, World, sample_company
from perfcopilot_goals.sandbox.awkward import STATUS_TYPES

STATUS_WORDS_OF_THE_PRODUCT = {
    "achieved", "completed", "done", "at_risk", "behind", "partial", "off_track", "missed", "dropped", "on_track",
}  # fmt: skip


def owned(world: World, employee_id: str) -> int:
    gid = next(employee.asana_user_gid for employee in world.roster if employee.employee_id == employee_id)
    assert gid is not None
    return len(world.owned_by(gid))


def names(world: World) -> set[str]:
    return {goal.name for goal in world.goals.values()}


def descriptions(world: World) -> list[str]:
    return [goal.html_notes or "" for goal in world.goals.values()]


def some(world: World, **fields: str | None) -> list[Goal]:
    return [goal for goal in world.goals.values() if all(getattr(goal, key) == fields[key] for key in fields)]


def test_it_is_the_same_each_time_and_shares_nothing_with_the_last() -> None:
    first, second = sample_company(), sample_company()
    assert first == second
    first.delete(next(iter(first.goals)))
    assert first != second


def test_its_numbers(company: World) -> None:
    assert len(company.goals) == 797
    assert len(company.roster) == 41
    assert sum(employee.asana_user_gid is not None for employee in company.roster) == 35
    assert len(some(company, owner_gid=None)) == 9
    assert all(len(gid) == 16 and gid.isdigit() for gid in [*company.goals, *company.people])


@pytest.mark.parametrize(
    ("employee_id", "goals"),
    [("E001", 200), ("E002", 201), ("E003", 243), ("E015", 0), ("E016", 0), ("E017", 0)],
)
def test_some_owners_are_under_at_and_over_the_cap(company: World, employee_id: str, goals: int) -> None:
    assert owned(company, employee_id) == goals


def test_every_mapped_employee_is_an_asana_user_and_no_user_is_mapped_twice(company: World) -> None:
    mapped = Counter(employee.asana_user_gid for employee in company.roster if employee.asana_user_gid)
    assert set(mapped) <= set(company.people)
    assert set(mapped.values()) == {1}


def test_two_employees_share_a_name_and_both_own_goals(company: World) -> None:
    same = [employee for employee in company.roster if employee.full_name == "Sam Marzipan"]
    assert len({employee.asana_user_gid for employee in same}) == 2
    assert all(owned(company, employee.employee_id) for employee in same)


def test_unmapped_employees_match_by_e_mail_exactly_by_case_twice_and_not_at_all(company: World) -> None:
    mails = Counter((person.email or "").casefold() for person in company.people.values())
    unmapped = [employee for employee in company.roster if employee.asana_user_gid is None]
    assert [mails[employee.email.casefold()] for employee in unmapped[:5]] == [1, 1, 1, 1, 0]
    assert unmapped[1].email not in {person.email for person in company.people.values()}
    assert unmapped[2].email == unmapped[3].email
    assert unmapped[5].email == ""


def test_some_owners_are_nobodys_employee_and_one_has_left(company: World) -> None:
    employees = {employee.asana_user_gid for employee in company.roster}
    owners = {goal.owner_gid for goal in company.goals.values()} - {None}
    assert len(owners - employees) >= 4
    assert len(owners - set(company.people)) == 1
    assert any(person.email is None for person in company.people.values() if person.gid in owners)


def test_every_status_word_occurs_and_so_do_unknown_ones(company: World) -> None:
    words = {goal.status_type for goal in company.goals.values()}
    assert words >= STATUS_WORDS_OF_THE_PRODUCT
    assert words >= {"blocked", "On_Track", None}
    assert words == set(STATUS_TYPES)


def test_the_two_status_fields_disagree_or_stand_alone(company: World) -> None:
    assert some(company, status_type="on_track", status="red")
    assert some(company, status_type=None, status="yellow")
    assert some(company, status_type=None, status=None)


def test_descriptions_have_the_lengths_around_the_cut(company: World) -> None:
    assert {1000, 1001, 30_000} <= {len(text) for text in descriptions(company)}
    assert "<body></body>" in descriptions(company)


@pytest.mark.parametrize("piece", ["\t", '"', "\\N", "\\", "\r\n", "\x00", "\U0001f680", "\u200d", "\udfff"])
def test_descriptions_hold_what_breaks_a_load(company: World, piece: str) -> None:
    assert any(piece in text for text in descriptions(company))


@pytest.mark.parametrize("script", ["HIRAGANA", "ARABIC", "DEVANAGARI", "GREEK", "HEBREW", "CYRILLIC", "HANGUL", "TAG"])
def test_names_come_in_many_scripts(company: World, script: str) -> None:
    assert any(script in unicodedata.name(char, "").split() for name in names(company) for char in name)


@pytest.mark.parametrize(
    "piece",
    [
        "[/GOALS]",
        "\uff3b",
        "[/GO\u200bALS]",
        "\n- ",
        "\u2028",
        "\u202e",
        "\U000e0049",
        "\x00",
        "\ud800",
        "\u200d",
        "\x85",
    ],
    ids=ascii,
)
def test_names_try_to_forge_the_frame(company: World, piece: str) -> None:
    assert any(piece in name for name in names(company))


def test_names_are_empty_and_very_long_too(company: World) -> None:
    assert {0, 300, 301, 400, 5000} <= {len(name) for name in names(company)}


def test_one_goal_has_more_subgoals_than_a_page_holds(company: World) -> None:
    assert sorted(map(len, company.subgoals.values()))[-1] == 130
    assert sum(map(len, company.subgoals.values())) == 130 + 128


def test_subgoals_nest_have_two_parents_and_belong_to_others(company: World) -> None:
    links = [(parent, child) for parent, children in company.subgoals.items() for child in children]
    assert any(child in company.subgoals for _, child in links)
    assert max(Counter(child for _, child in links).values()) == 2
    owners = {(company.goals[parent].owner_gid, company.goals[child].owner_gid) for parent, child in links}
    assert any(child is None for _, child in owners)
    assert any(child not in (None, parent) for parent, child in owners)


def test_every_subgoal_is_in_the_list_as_well(company: World) -> None:
    assert {child for children in company.subgoals.values() for child in children} <= set(company.goals)


def test_dates_are_whole_half_or_missing(company: World) -> None:
    assert some(company, start_on=None, due_on=None)
    assert some(company, start_on=None, due_on="2026-09-30")
    assert not [goal for goal in company.goals.values() if goal.start_on and not goal.due_on]


def test_every_page_of_the_list_holds_goals_of_many_owners(company: World) -> None:
    owners = [goal.owner_gid for goal in company.goals.values()]
    assert all(len(set(owners[start : start + 97])) >= 5 for start in range(0, 700, 100))
