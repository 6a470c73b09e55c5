"""The tree of errors: what the contract promises about each, under *Exit codes* and *Errors*."""

import re

import pytest

from perfcopilot_goals import errors
from perfcopilot_goals.errors import EXIT_CODES, AsanaContractError, GoalsConfigError, GoalsError, GoalsStoreError

CONTRACT = {
    "GoalsConfigError": (2, False),
    "AsanaAccessError": (3, False),
    "AsanaContractError": (4, False),
    "GoalsSchemaError": (5, False),
    "GoalsGuardError": (6, False),
    "GoalsStoreError": (7, True),
    "AsanaUnavailableError": (75, True),
}
CLASSES = [getattr(errors, name) for name in CONTRACT]


def test_the_tree_and_its_exit_codes_are_the_contracts() -> None:
    assert {name: code for name, (code, _) in CONTRACT.items()} == EXIT_CODES
    assert set(GoalsError.__subclasses__()) == set(CLASSES)
    assert not any(kind.__subclasses__() for kind in CLASSES)


def test_the_tree_drawn_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+) +(\d+) +(\w+)", errors.__doc__ or "")
    assert {name: int(code) for name, code, _ in drawn} == EXIT_CODES
    answers = {"no": False, "yes": True}
    assert all(getattr(errors, name).retryable == answers[can] for name, _, can in drawn if can in answers)


@pytest.mark.parametrize("kind", [GoalsError, *CLASSES])
def test_a_message_begins_with_the_classs_name(kind: type[GoalsError]) -> None:
    error = kind("connection acme: what happened", action="What to do")
    assert str(error) == f"{kind.__name__}: connection acme: what happened. What to do"
    assert isinstance(kind(""), GoalsError)
    assert isinstance(kind.__doc__, str)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_says_whether_a_retry_can_help(kind: type[GoalsError]) -> None:
    assert kind("x").retryable == CONTRACT[kind.__name__][1]
    assert kind("x").exit_code == CONTRACT[kind.__name__][0]


@pytest.mark.parametrize(
    ("sqlstate", "retryable"),
    [
        ("", True), ("08006", True), ("40001", True), ("40P01", True), ("53100", True), ("55P03", True),
        ("57P01", True), ("02000", False), ("22021", False), ("23505", False), ("23514", False), ("28P01", False),
        ("42P01", False), ("42501", False), ("XX000", False), ("0", False),
    ],
)  # fmt: skip
def test_a_store_error_has_its_sqlstate_and_only_passing_ones_are_retried(sqlstate: str, retryable: bool) -> None:
    error = GoalsStoreError("replacing goals", sqlstate)
    assert (error.sqlstate, error.retryable) == (sqlstate, retryable)
    # Each error decides for itself; the class remembers nothing.
    assert GoalsStoreError("x", "08006").retryable


@pytest.mark.parametrize(
    ("sqlstate", "passes"),
    [
        ("", True), ("08006", True), ("40001", True), ("40P01", True), ("55P03", True), ("57P01", True),
        ("53100", False), ("53300", False), ("57014", False), ("23514", False), ("42501", False), ("02000", False),
    ],
)  # fmt: skip
def test_a_full_disk_or_a_time_limit_is_not_tried_again_within_seconds(sqlstate: str, passes: bool) -> None:
    assert GoalsStoreError("replacing goals", sqlstate).passes_within_seconds is passes


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (GoalsConfigError("its GID is not set"), "GoalsConfigError: connection acme: its GID is not set"),
        (GoalsConfigError("connection acme: no GID"), "GoalsConfigError: connection acme: no GID"),
        (
            GoalsConfigError("no connection acme-2 here"),
            "GoalsConfigError: connection acme: no connection acme-2 here",
        ),
        (
            GoalsConfigError("no GID", action="Set it: connection set {connection} --workspace-gid GID"),
            "GoalsConfigError: connection acme: no GID. Set it: connection set acme --workspace-gid GID",
        ),
        (
            GoalsConfigError("no GID", connection="globex", action="Set it: connection set {connection}"),
            "GoalsConfigError: connection globex: no GID. Set it: connection set globex",
        ),
    ],
)
def test_an_error_about_a_connection_names_it_once_and_in_what_to_do(error: GoalsError, told: str) -> None:
    assert str(error.about("acme")) == told


def test_a_response_of_another_shape_always_says_what_to_do() -> None:
    assert str(AsanaContractError("GET /goals: no data").about("acme")) == (
        "AsanaContractError: connection acme: GET /goals: no data. Run it again; if the error stays, Asana's API has "
        "changed: upgrade perfcopilot-goals or report it"
    )
    assert (
        str(AsanaContractError("GET /goals: no data", action="Wait")) == "AsanaContractError: GET /goals: no data. Wait"
    )


def test_an_error_without_a_connection_says_what_to_do_with_a_placeholder() -> None:
    error = GoalsConfigError("no GID", action="Set it: connection set {connection} --workspace-gid GID")
    assert str(error) == "GoalsConfigError: no GID. Set it: connection set NAME --workspace-gid GID"


def test_details_are_lines_of_their_own_and_a_line_break_within_one_adds_none() -> None:
    error = GoalsConfigError("nothing was imported", action="Mend these lines").listing(
        ["line 2: empty", "line 5: a\nb"]
    )
    assert error.lines == ["GoalsConfigError: nothing was imported; line 2: empty;", "line 5: a\nb. Mend these lines"]
    assert "\n".join(error.lines) == str(error)
    about = GoalsConfigError("claimed by E1\nE2", action="Unmap one: employee unmap {connection}").about("acme")
    assert about.lines == [str(about)]
    assert str(about).startswith("GoalsConfigError: connection acme: claimed by")
