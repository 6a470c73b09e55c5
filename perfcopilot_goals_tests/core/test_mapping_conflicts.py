"""Who may be mapped to somebody else's user: only somebody else's address proves it, a private one never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.mapping_conflicts import (
    BOTH,
    EMAIL_OF_ANOTHER_USER,
    USER_OF_ANOTHER_EMPLOYEE,
    MappingConflict,
    find_conflicts,
)
from perfcopilot_goals.core.suggestions import AsanaUser
from perfcopilot_goals.domain.employee import MAPPING_CONFLICTS, address_of
from perfcopilot_goals.domain.employee import Employee as RosterRow
from perfcopilot_goals_tests.core.examples import parse_flawless_roster, usual

# One column of a CSV was sorted alone: Ana has Bo's user and Bo has Ana's. Cy is mapped rightly, Di not at all.
SWAPPED = """\
employee_id,full_name,email,asana_user_gid
E001,Ana,ana@example.com,1202000000000002
E002,Bo,bo@example.com,1202000000000001
E003,Cy,cy@example.com,1202000000000003
E004,Di,di@example.com,
"""
ANA, BO, CY = "1202000000000001", "1202000000000002", "1202000000000003"

Line = tuple[str, str, str | None]


def people(*lines: Line) -> list[RosterRow]:
    return [RosterRow(employee_id, "Somebody", email, gid) for employee_id, email, gid in lines]


def users(*lines: tuple[str, str | None]) -> list[AsanaUser]:
    return [AsanaUser(gid, "Somebody", email) for gid, email in lines]


def found(roster: list[RosterRow], asana: list[AsanaUser]) -> dict[str, str]:
    return {conflict.employee_id: conflict.kind for conflict in find_conflicts(roster, asana)}


@pytest.mark.fault("B40")
def test_swapped_employees_are_named_with_each_other_and_one_with_a_private_address_is_not() -> None:
    asana = users((ANA, "ana@example.com"), (BO, "bo@example.com"), (CY, "cy@mail.example"))
    assert find_conflicts(parse_flawless_roster(SWAPPED), asana) == [
        MappingConflict("E001", BO, BOTH, [ANA], ["E002"]),
        MappingConflict("E002", ANA, BOTH, [BO], ["E001"]),
    ]


@pytest.mark.fault("B40")
@pytest.mark.parametrize(
    ("roster", "asana", "conflicts"),
    [
        pytest.param([("E1", " ANA@Example.com", "1")], [("1", "ana@example.COM\n")], {}, id="agrees-but-for-its-case"),
        pytest.param([("E1", "ana@x", "1")], [("1", "private@y")], {}, id="private-address-in-asana"),
        pytest.param([("E1", "ana@x", "1")], [("1", None)], {}, id="hidden-address"),
        pytest.param([("E1", "ana@x", "1")], [("2", "bo@x")], {}, id="user-gone"),
        pytest.param([("E1", "ana@x", None), ("E2", "bo@x", None)], [("1", "ana@x")], {}, id="unmapped"),
        pytest.param([("E1", "", "1")], [("1", "private@y")], {}, id="no-address-in-the-roster"),
        pytest.param([("E1", "none", "1"), ("E2", "none", "2")], [("1", "none"), ("2", "")], {}, id="no-addresses"),
        pytest.param(
            [("E1", "ana@x", "2"), ("E2", "bo@x", None)],
            [("1", "ana@x"), ("2", "bo@x")],
            {"E1": BOTH},
            id="one-sided-swap",
        ),
        pytest.param(
            [("E1", "ana@x", "3")], [("1", "ana@x"), ("3", "private@y")], {"E1": EMAIL_OF_ANOTHER_USER}, id="stray"
        ),
        pytest.param(
            [("E1", "ana@x", "3")], [("1", "ana@x"), ("3", None)], {"E1": EMAIL_OF_ANOTHER_USER}, id="stray-and-hidden"
        ),
        pytest.param([("E1", "ana@x", "3")], [("1", "ana@x")], {"E1": EMAIL_OF_ANOTHER_USER}, id="came-back-anew"),
        pytest.param(
            [("E1", "", "2"), ("E2", "bo@x", None)],
            [("2", "bo@x")],
            {"E1": USER_OF_ANOTHER_EMPLOYEE},
            id="no-address-but-a-colleagues-user",
        ),
        pytest.param(
            [("E1", "ana@x", "2"), ("E2", "bo@x", "3")],
            [("2", "bo@x"), ("3", "private@y")],
            {"E1": USER_OF_ANOTHER_EMPLOYEE, "E2": EMAIL_OF_ANOTHER_USER},
            id="moved-down-by-a-line",
        ),
    ],
)
def test_only_an_address_that_is_somebody_elses_names_anybody(
    roster: list[Line], asana: list[tuple[str, str | None]], conflicts: dict[str, str]
) -> None:
    assert found(people(*roster), users(*asana)) == conflicts


@pytest.mark.fault("B40")
@pytest.mark.parametrize(
    ("roster", "asana", "conflicts"),
    [
        pytest.param(
            [("E1", "desk@x", "9"), ("E2", "desk@x", "5")], [("9", "desk@x"), ("5", "private@y")], {}, id="one-has-it"
        ),
        pytest.param(
            [("E1", "desk@x", "4"), ("E2", "desk@x", "5")],
            [("9", "desk@x"), ("4", "a@y"), ("5", "b@y")],
            {"E1": EMAIL_OF_ANOTHER_USER, "E2": EMAIL_OF_ANOTHER_USER},
            id="nobody-of-them-has-it",
        ),
        pytest.param(
            [("E1", "ana@x", "2"), ("E9", "ana@x", None)],
            [("1", "ana@x"), ("2", "private@y")],
            {"E1": EMAIL_OF_ANOTHER_USER},
            id="the-same-person-twice",
        ),
        pytest.param([("E1", "ana@x", "1")], [("1", "ana@x"), ("2", "ANA@x")], {}, id="two-users-of-one-address"),
        pytest.param(
            [("E1", "ana@x", "1"), ("E2", "bo@x", "2")],
            [("1", "ana@x"), ("2", "ana@x")],
            {"E2": USER_OF_ANOTHER_EMPLOYEE},
            id="the-second-user-of-a-colleague",
        ),
    ],
)
def test_a_shared_address_contradicts_nobody_if_its_user_is_one_who_shares_it(
    roster: list[Line], asana: list[tuple[str, str | None]], conflicts: dict[str, str]
) -> None:
    assert found(people(*roster), users(*asana)) == conflicts


def test_everybody_with_the_address_is_named() -> None:
    roster = people(("E1", "ana@x", "3"), ("E2", "cy@x", None), ("E3", "CY@x", None))
    asana = users(("1", "ana@x"), ("2", "Ana@x"), ("3", "cy@x"))
    assert find_conflicts(roster, asana) == [MappingConflict("E1", "3", BOTH, ["1", "2"], ["E2", "E3"])]


def test_similar_addresses_are_not_the_same() -> None:
    roster = people(("E1", "maß@x", "1"), ("E2", "mass@x", "2"))
    assert found(roster, users(("1", "maß@x"), ("2", "mass@x"))) == {}


ADDRESSES = st.sampled_from(["a@x", "b@x", " A@X ", "c@x", "p@y", "q@y", "", None])


@given(
    roster=st.lists(st.tuples(ADDRESSES, st.sampled_from(["1", "2", "3", "4", None])), max_size=5),
    emails=st.lists(ADDRESSES, max_size=4),
)
@usual
def test_a_conflict_has_somebody_elses_address_and_a_mapping_that_agrees_is_none(
    roster: list[tuple[str | None, str | None]], emails: list[str | None]
) -> None:
    taken: set[str] = set()
    lines: list[Line] = []
    for number, (email, gid) in enumerate(roster, 1):
        lines.append((f"E{number}", email or "", None if gid in taken else gid))
        taken |= {gid} if gid else set()
    asana = users(*((str(number), email) for number, email in enumerate(emails, 1)))
    theirs = {user.gid: address_of(user.email) for user in asana}
    mine = {employee_id: address_of(email) for employee_id, email, _ in lines}
    gid_of = {employee_id: gid for employee_id, _, gid in lines}
    for conflict in find_conflicts(people(*lines), asana):
        address, user_address = mine[conflict.employee_id], theirs.get(conflict.gid, "")
        assert gid_of[conflict.employee_id] == conflict.gid
        assert conflict.kind in MAPPING_CONFLICTS
        assert conflict.other_gids or conflict.other_employee_ids
        assert not address or address != user_address, "the two agree"
        assert all(theirs[gid] == address != "" and gid != conflict.gid for gid in conflict.other_gids)
        assert all(mine[i] == user_address != "" and i != conflict.employee_id for i in conflict.other_employee_ids)
