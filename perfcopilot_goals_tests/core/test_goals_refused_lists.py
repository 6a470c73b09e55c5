"""Whether a sync goes on with lists that were not read: row by row of `refusal_of_lists`."""

import pytest

from perfcopilot_goals.core.goals import refusal_of_lists
from perfcopilot_goals.domain.connection import Unread
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsError

NOT_FOUND, GOAL_UNKNOWN, FORBIDDEN = Unread


def decide(lists: list[Unread | None], stored: int | list[int] = 0, *, allow_empty: bool = False) -> GoalsError | None:
    """The decision about goals 1, 2, … with these lists, where None is a list that was read.

    `stored` says which of them have key results stored, or how many of the first ones.
    """
    numbers = range(1, stored + 1) if isinstance(stored, int) else stored
    named = {str(number): why for number, why in enumerate(lists, 1)}
    read = [gid for gid, why in named.items() if why is None]
    unread = {gid: why for gid, why in named.items() if why is not None}
    return refusal_of_lists(read, unread, {str(number) for number in numbers}, allow_empty=allow_empty)


def lists(*, refused: int = 0, unknown: int = 0, missing: int = 0, read: int = 0) -> list[Unread | None]:
    return [*[FORBIDDEN] * refused, *[GOAL_UNKNOWN] * unknown, *[NOT_FOUND] * missing, *[None] * read]


@pytest.mark.fault("B30")
@pytest.mark.parametrize("allow_empty", [False, True])
@pytest.mark.parametrize("stored", [0, 1, 6])
@pytest.mark.parametrize(
    "whys",
    [
        lists(refused=1),
        lists(refused=6),
        lists(refused=5, unknown=1),
        lists(refused=1, unknown=5),
        lists(refused=1, missing=1),
        lists(refused=1, unknown=2, missing=3),
    ],
    ids=["one", "all", "one deleted", "one refused", "one missing", "all kinds"],
)
def test_no_list_read_and_one_refused_is_a_token_without_access_whatever_is_allowed(
    whys: list[Unread | None], stored: int, allow_empty: bool
) -> None:
    error = decide(whys, stored, allow_empty=allow_empty)
    assert isinstance(error, AsanaAccessError)
    assert f"{whys.count(FORBIDDEN)} of {len(whys)} answered 403" in str(error)
    assert "the last sync stand" in str(error)
    assert "token" in str(error.action)


def test_the_other_lists_are_counted_beside_those_that_were_refused() -> None:
    assert "5 of 6 answered 403 and 1 answered 404;" in str(decide(lists(refused=5, unknown=1)))
    assert "6 of 6 answered 403;" in str(decide(lists(refused=6)))


@pytest.mark.parametrize("allow_empty", [False, True])
@pytest.mark.parametrize("count", [2, 60])
def test_lists_that_are_all_missing_without_a_reason_break_the_contract(count: int, allow_empty: bool) -> None:
    error = decide(lists(missing=count), count, allow_empty=allow_empty)
    assert isinstance(error, AsanaContractError)
    assert f"all {count} sub-goal lists answered 404" in str(error)
    assert "base URL" in str(error.action)


@pytest.mark.parametrize(
    "whys",
    [
        [],
        lists(read=3),
        lists(unknown=1),
        lists(unknown=6),
        lists(missing=1),
        lists(unknown=1, missing=5),
        lists(missing=5, read=1),
        lists(unknown=5, read=1),
        lists(refused=5, read=1),
    ],
    ids=[
        *("no goals", "all read", "one deleted", "all deleted", "one missing", "one of the missing is named"),
        *("one read", "one left", "five refused"),
    ],
)
def test_anything_else_goes_on(whys: list[Unread | None]) -> None:
    assert decide(whys, len(whys)) is None


@pytest.mark.fault("B31")
@pytest.mark.parametrize(
    ("refused", "stored", "goes_on"),
    [
        (5, 5, True),
        (5, 40, True),
        (6, 40, False),
        (6, 59, False),
        (6, 60, True),
        (7, 60, False),
        (10, 100, True),
        (11, 100, False),
        (100, 1_000, True),
        (101, 1_000, False),
    ],
)
def test_more_than_five_and_more_than_a_tenth_of_the_stored_ones_are_a_token_that_lost_access(
    refused: int, stored: int, goes_on: bool
) -> None:
    whys = lists(refused=refused, read=stored - refused + 1)
    error = decide(whys, stored)
    assert (error is None) is goes_on
    assert decide(whys, stored, allow_empty=True) is None
    if error is not None:
        assert isinstance(error, AsanaAccessError)
        assert f"{refused} of {stored} goals with stored key results" in str(error)
        assert "perfcopilot-goals sync acme --allow-empty" in str(error.about("acme"))


@pytest.mark.fault("B31")
def test_goals_without_stored_key_results_have_none_to_lose() -> None:
    """Eight of forty were never readable. Five more, which had key results, were hidden."""
    whys = lists(refused=13, read=27)
    assert decide(whys, 0) is None
    assert decide(whys, list(range(9, 41))) is None
    assert isinstance(decide(whys, list(range(8, 41))), AsanaAccessError)


@pytest.mark.fault("B31")
def test_deleted_goals_do_not_count_as_refused() -> None:
    assert decide(lists(refused=5, unknown=20, missing=20, read=1), 45) is None


def test_goals_that_are_not_owned_any_more_still_count_as_stored() -> None:
    """Six are refused. Of 59 goals with stored key results that is too many, of 60 it is not."""
    whys = lists(refused=6, read=1)
    assert isinstance(decide(whys, 59), AsanaAccessError)
    assert decide(whys, 60) is None


def test_an_error_names_ten_goals_in_their_order_and_counts_the_rest() -> None:
    whys = [None, *lists(refused=12)]
    assert "(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … and 2 more)" in str(decide(whys, 13))
    assert "(1, 2, 3, 4, 5, 6)" in str(decide([*lists(refused=6), None], 7))
