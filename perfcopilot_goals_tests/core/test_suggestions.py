"""Who an employee may be in Asana: an exact e-mail is sure, and a person decides on all else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.suggestions import AsanaUser, Suggestion, parse_users, similarity, suggest_users
from perfcopilot_goals.domain.employee import Employee, address_of
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals_tests.core.examples import CANARY, error_texts, usual
from perfcopilot_goals_tests.core.rosters import TRAPS, labelled_company

# The share of unmapped people in Asana that `--apply` must map, in a company of 2,000 with 60 traps.
RECALL = 0.95


def employee(number: int, name: str, email: str, gid: str | None = None) -> Employee:
    return Employee(f"E{number}", name, email, gid)


def user(gid: int, name: str, email: str | None) -> AsanaUser:
    return AsanaUser(str(gid), name, email)


def suggested(roster: list[Employee], users: list[AsanaUser]) -> list[tuple[str, str, str | None, str]]:
    return [(s.employee_id, s.kind, s.gid, s.why) for s in suggest_users(roster, users)]


@pytest.mark.parametrize(
    ("typed", "email"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada@Example.COM\t", "ada@example.com"),
        ("ada@example.com", "\xa0ADA@EXAMPLE.COM\n"),
        ("É.Ruiz@example.com", "é.ruiz@example.com"),
    ],
    ids=["same", "typed", "asana", "accents"],
)
def test_the_same_address_is_exact_whatever_its_case_and_the_blanks_around_it(typed: str, email: str) -> None:
    assert suggested([employee(1, "Ada Thimble", typed)], [user(11, "Ada T.", email)]) == [
        ("E1", "exact", "11", "same e-mail")
    ]


@pytest.mark.parametrize(
    ("typed", "email"),
    [
        ("a.da@example.com", "ada@example.com"),
        ("ada@example.co", "ada@example.com"),
        ("strasse@example.com", "straße@example.com"),
        ("kay@example.com", "\u212aay@example.com"),
        ("i@example.com", "\u0130@example.com"),
        ("ada@example.com", "ada\u200b@example.com"),
        ("ﬁne@example.com", "fine@example.com"),
    ],
    ids=ascii,
)
def test_an_address_that_is_only_alike_is_never_exact(typed: str, email: str) -> None:
    ((_, kind, _, _),) = suggested([employee(1, "Ada", typed)], [user(11, "Bo", email)])
    assert kind != "exact"


@pytest.mark.parametrize("blank", ["", "  ", "n/a", "-", "@", "ada@", "@example.com"])
def test_what_is_no_address_matches_nobody(blank: str) -> None:
    ((_, kind, gid, why),) = suggested([employee(1, "Ada", blank)], [user(11, "Bo", blank), user(12, "Cy", None)])
    assert (kind, gid, why) == ("collision", None, "the roster has no e-mail address for them")


def test_an_address_of_two_employees_collides_for_both_also_where_one_is_mapped() -> None:
    desk = "desk@example.com"
    roster = [
        employee(1, "Ada", desk),
        employee(2, "Bo", desk.upper()),
        employee(3, "Cy", "cy@example.com", "13"),
        employee(4, "Di", "cy@example.com"),
    ]
    users = [user(11, "Front desk", desk), user(12, "Cy", "cy@example.com"), user(13, "C", None)]
    assert suggested(roster, users) == [
        ("E1", "collision", "11", "the same e-mail as E2"),
        ("E2", "collision", "11", "the same e-mail as E1"),
        ("E4", "collision", "12", "the same e-mail as E3"),
    ]


def test_an_address_of_two_users_collides() -> None:
    users = [user(11, "Ada", "ada@example.com"), user(12, "Ada", "ADA@example.com ")]
    assert suggested([employee(1, "Ada", "ada@example.com")], users) == [
        ("E1", "collision", None, "Asana users 11, 12 have that e-mail")
    ]


def test_a_user_who_is_mapped_to_somebody_else_is_not_suggested_by_any_sign() -> None:
    roster = [
        employee(1, "Ada Thimble", "old@example.com", "11"),
        employee(2, "Ada Thimble", "ada@example.com"),
        employee(3, "Ada Thimble", "ada+x@example.com"),
    ]
    assert suggested(roster, [user(11, "Ada Thimble", "ada@example.com")]) == [
        ("E2", "collision", "11", "that Asana user is mapped to E1"),
        ("E3", "nothing", None, "no Asana user has that e-mail"),
    ]


def test_mapped_employees_get_no_suggestion() -> None:
    assert suggested([employee(1, "Ada", "ada@example.com", "99")], [user(11, "Ada", "ada@example.com")]) == []


@pytest.mark.parametrize(
    ("typed", "email", "why"),
    [
        ("ada+work@example.com", "ada@example.com", "the same e-mail except for a +tag"),
        ("ada@example.com", "Ada+asana@example.com", "the same e-mail except for a +tag"),
        ("ada@example.com", "ada@example.org", "the same e-mail under another domain"),
    ],
)
def test_tags_and_other_domains_are_hints(typed: str, email: str, why: str) -> None:
    assert suggested([employee(1, "Ada", typed)], [user(11, "Zed", email)]) == [("E1", "hint", "11", why)]


def test_names_are_hints_with_a_score_and_the_best_one_is_shown() -> None:
    users = [user(11, "ＡＤＡ  Thimble", None), user(12, "Ada Thimbles", None), user(13, "Bo Reed", None)]
    roster = [
        employee(1, "Thimble, Ada", "a@example.com"),
        employee(2, "Bo Read", "b@example.com"),
        employee(3, "Cy Old", "c@example.com"),
    ]
    found = suggest_users(roster, users)
    assert [(s.kind, s.gid, s.score, s.why) for s in found] == [
        ("hint", "11", 1.0, "the same name"),
        ("hint", "13", 0.86, "a similar name"),
        ("nothing", None, None, "no Asana user has that e-mail"),
    ]


def test_if_several_users_fit_all_are_named_and_none_is_suggested() -> None:
    users = [user(number, "Sam Marzipan", None) for number in (13, 11, 12)]
    roster = [employee(1, "Sam Marzipan", "s@example.com"), employee(2, "Sam Marzipan", "")]
    assert suggested(roster, users) == [
        ("E1", "hint", None, "the same name: Asana users 11, 12, 13"),
        (
            "E2",
            "collision",
            None,
            "the roster has no e-mail address for them; the same name: Asana users 11, 12, 13",
        ),
    ]


def test_a_user_whom_several_employees_fit_is_a_hint_that_says_so() -> None:
    roster = [employee(1, "Sam Marzipan", "s@example.com"), employee(2, "Sam Marzipan", "t@example.com")]
    assert suggested(roster, [user(11, "Sam Marzipan", None)]) == [
        ("E1", "hint", "11", "the same name; fits 2 employees"),
        ("E2", "hint", "11", "the same name; fits 2 employees"),
    ]


def test_a_user_who_is_one_employees_exact_match_is_no_hint_for_another() -> None:
    roster = [employee(1, "Sam Marzipan", "sam@example.com"), employee(2, "Sam Marzipan", "sam+x@example.com")]
    assert [s.kind for s in suggest_users(roster, [user(11, "Sam Marzipan", "sam@example.com")])] == [
        "exact",
        "nothing",
    ]


def test_an_exact_address_under_a_wholly_different_name_asks_for_a_second_look() -> None:
    """A mailbox may have been given to somebody else. The e-mail decides, but a person can see the difference."""
    ((_, kind, _, why),) = suggested([employee(1, "Ada Thimble", "info@x.example")], [user(11, "Bo", "info@x.example")])
    assert (kind, why) == ("exact", "same e-mail; the names differ, look twice")


def test_asanas_responses_are_users_once_each_with_or_without_an_address() -> None:
    answers: list[dict[str, Any]] = [
        {"gid": "11", "name": "Ada", "email": "ada@example.com"},
        {"gid": "12", "name": "Bo", "email": None},
        {"gid": "13", "name": None},
        {"gid": "11", "name": "Ada", "email": "ada@example.com"},
    ]
    assert parse_users(answers) == [user(11, "Ada", "ada@example.com"), user(12, "Bo", None), user(13, "", None)]


@pytest.mark.parametrize(
    "answer",
    [{"name": CANARY}, {"gid": 11, "name": CANARY}, {"gid": "11"}, {"gid": "11", "name": "A", "email": [CANARY]}],
)
@pytest.mark.fault("C33")
def test_a_response_of_another_shape_is_refused_and_not_quoted(answer: dict[str, object]) -> None:
    with pytest.raises(
        AsanaContractError, match=r"GET /users: .*: field (gid|name|email) .*; no block was changed\. Run"
    ) as refused:
        parse_users([answer])
    assert CANARY not in error_texts(refused.value)


def test_sixty_traps_among_two_thousand_lead_to_no_wrong_match() -> None:
    assert sum(TRAPS.values()) == 60
    for seed in range(5):
        company = labelled_company(seed)
        assert len(company.trap) == 60
        suggestions = suggest_users(company.roster, company.users.values())
        exact = {s.employee_id: s.gid for s in suggestions if s.kind == "exact"}
        wrong = {i: company.trap.get(i) for i, gid in exact.items() if gid != company.true_gid[i]}
        assert wrong == {}
        assert set(exact) == company.applicable(), "whom e-mail alone decides is applied, all of them and nobody else"
        assert len(set(exact.values())) == len(exact)
        recall = len(exact) / len(company.findable())
        hints = [s for s in suggestions if s.kind == "hint" and s.gid]
        right = sum(s.gid == company.true_gid[s.employee_id] for s in hints)
        print(
            f"seed {seed}: {len(exact)} applied, 0 wrong, {recall:.1%} of {len(company.findable())} who are there, "
            f"all of {len(company.applicable())} whom e-mail decides; {right} of {len(hints)} hints right"
        )
        assert recall >= RECALL


@usual
@given(
    st.lists(st.tuples(st.sampled_from("ab "), st.sampled_from(["", "a@x", "A@x", "a+b@x", "b@x", "b@y"]),
                       st.sampled_from([None, "1", "2"])), max_size=5),
    st.lists(st.tuples(st.sampled_from("ab "), st.sampled_from([None, "a@x", " A@x", "a+c@x", "b@x"])), max_size=4),
)  # fmt: skip
def test_no_two_employees_are_ever_the_same_user(
    people: list[tuple[str, str, str | None]], there: list[tuple[str, str | None]]
) -> None:
    claimed: set[str] = set()
    roster = []
    for number, (name, email, gid) in enumerate(people):
        roster.append(employee(number, name, email, None if gid in claimed else gid))
        claimed |= {gid} if gid else set()
    users = [user(number, name, email) for number, (name, email) in enumerate(there, 1)]
    found = suggest_users(roster, users)
    exact = [s for s in found if s.kind == "exact"]
    assert len(found) == sum(e.asana_user_gid is None for e in roster)
    assert len({s.gid for s in exact} | claimed) == len(exact) + len(claimed)
    assert all(address_of(_email(roster, s)) == address_of(_address(users, s)) != "" for s in exact)


def _email(roster: list[Employee], suggestion: Suggestion) -> str:
    return next(e.email for e in roster if e.employee_id == suggestion.employee_id)


def _address(users: list[AsanaUser], suggestion: Suggestion) -> str | None:
    return next(u.email for u in users if u.gid == suggestion.gid)


def test_similarity_does_not_depend_on_which_name_comes_first_and_only_equal_names_are_wholly_alike() -> None:
    assert similarity("Ada Thimble", "thimble ADA") == 1.0
    assert similarity("Jon Smith", "John Smith") == similarity("John Smith", "Jon Smith") > 0.9
    assert similarity("a" * 400, "a" * 399 + "b") == 0.99
    assert similarity("", "") == similarity(" ", "Ada") == 0.0
