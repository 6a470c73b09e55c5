"""Who is told what: each newly truncated employee once, a failure with what to do."""

import pytest

from perfcopilot_goals.core.alerts import SHOWN, Truncated, newly_truncated, tell_failure, tell_truncated

LINK = "http://127.0.0.1:3000/assets/prompt_blocks"


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        ({}, {}, {}),
        ({}, {"acme": {"E1": 243}}, {"acme": {"E1": 243}}),
        ({"acme": {"E1": 243}}, {"acme": {"E1": 243}}, {}),
        ({"acme": {"E1": 243}}, {"acme": {"E1": 260, "E2": 201}}, {"acme": {"E2": 201}}),
        ({"acme": {"E1": 243}}, {"globex": {"E1": 243}}, {"globex": {"E1": 243}}),
        ({"acme": {"E1": 243}}, {}, {}),
    ],
    ids=["none", "first", "still", "one more", "another connection's", "healed"],
)
def test_only_employees_who_were_not_truncated_before_are_new(before: Truncated, now: Truncated, new: object) -> None:
    assert newly_truncated(before, now) == new


def test_an_employee_who_is_truncated_again_later_is_told_again() -> None:
    once = {"acme": {"E1": 243}}
    assert newly_truncated({}, once) == newly_truncated({"acme": {}}, once) == once


def test_a_failure_is_told_with_the_connection_the_error_and_a_link() -> None:
    error = "GoalsConfigError: connection acme: its Asana workspace GID is not set"
    assert tell_failure("acme", error, LINK).splitlines() == ["Sync of connection acme failed.", error, LINK]


def test_a_truncation_is_told_by_connection_and_employee_with_the_cap() -> None:
    told = tell_truncated({"globex": {"E2": 201}, "acme": {"E10": 300, "E1": 243}}, 200, LINK).splitlines()
    assert "more than 200" in told[0]
    assert told[1:3] == ["acme: E1 (243), E10 (300)", "globex: E2 (201)"]
    assert told[-1] == LINK


def test_long_lists_are_cut_and_counted() -> None:
    many = {f"E{number:03d}": 201 for number in range(SHOWN + 5)}
    told = tell_truncated({f"c{number:03d}": many for number in range(SHOWN + 3)}, 200, LINK).splitlines()
    assert told[1].endswith("and 5 more")
    assert "and of 3 more connections" in told
    assert len([line for line in told if line.startswith("c0")]) == SHOWN
