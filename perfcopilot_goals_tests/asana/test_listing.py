"""A list is read to its end or not at all. A refused workspace is reported with what to do."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.asana.listing import MAX_PAGES, fetch_goals
from perfcopilot_goals.errors import (
    AsanaAccessError,
    AsanaContractError,
    AsanaUnavailableError,
    GoalsConfigError,
    GoalsError,
)
from perfcopilot_goals.sandbox import Fault, Sandbox
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, GOAL_NAME, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import FIELDS, WORKSPACE, flat_world, parse_goals, serve
from perfcopilot_goals_tests.core.examples import usual
from perfcopilot_goals_tests.scripted_faults import Script
from perfcopilot_goals_tests.scripted_faults.pages import pages_of

EXPIRED = faults.status(400, f"offset: Your pagination token has expired. {BODY}")


@pytest.mark.parametrize("goals", [0, 1, 99, 100, 101, 200, 250])
def test_a_list_costs_a_request_for_each_hundred_goals(goals: int, connect: Connect) -> None:
    with serve(flat_world(goals)) as asana:
        client = connect(asana)
        assert parse_goals(client) == list(asana.world.goals)
        assert asana.count() == client.stats.pages == max(1, math.ceil(goals / 100))


def test_goals_come_with_the_fields_that_were_asked_for(connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        (goal,) = fetch_goals(connect(asana), WORKSPACE, ["name", "owner", "current_status_update.status_type"])
    assert (goal["name"], goal["owner"]["gid"]) == (f"{GOAL_NAME} 1", "1")
    assert goal["current_status_update"]["status_type"] == "at_risk"


def test_each_page_reports_how_many_goals_there_are_so_far(connect: Connect) -> None:
    told: list[int] = []
    with serve(flat_world(250)) as asana:
        parse_goals(connect(asana), on_page=told.append)
    assert told == [100, 200, 250]


@pytest.mark.parametrize("page", [1, 2, 7])
def test_b1_b2_a_token_that_is_refused_ends_the_list_at_once(page: int, connect: Connect) -> None:
    """A token can be revoked on page seven. The pages before it must not be written."""
    script = Script().on(faults.status(401, f"Not Authorized {BODY}"), path="/goals", first=page)
    with serve(flat_world(800), faults=script) as asana:
        with raises(AsanaAccessError, "GET /goals answered 401", "token_ref", "no block was changed"):
            parse_goals(connect(asana))
        assert asana.count() == page


def test_b1_another_token_is_refused_by_the_sandbox_itself(connect: Connect) -> None:
    with Sandbox(flat_world(3), token="another") as asana, raises(AsanaAccessError, "401", "does not accept the token"):
        parse_goals(connect(asana))


@pytest.mark.parametrize(
    ("status", "message", "kind", "words"),
    [
        (402, "Payment Required", AsanaAccessError, ["402", "plan does not include Goals"]),
        (403, "You do not have access to this workspace.", AsanaAccessError, ["403", f"read workspace {WORKSPACE}"]),
        (403, "Forbidden", AsanaAccessError, ["403", "Invite that user"]),
        (451, "Unavailable For Legal Reasons", AsanaAccessError, ["451", f"workspace {WORKSPACE}"]),
        (404, f"workspace: Unknown object: {WORKSPACE}", GoalsConfigError, ["404", WORKSPACE, "--workspace-gid"]),
        (404, f"workspace: Not a recognized ID: {WORKSPACE}", GoalsConfigError, ["404", "--workspace-gid"]),
        (404, "Not Found", GoalsConfigError, ["404", "--workspace-gid"]),
        (404, "No matching route for request", AsanaContractError, ["404", "no such route", "base URL"]),
        (400, f"workspace: Not a recognized ID: {WORKSPACE}", GoalsConfigError, ["400", "--workspace-gid"]),
        (400, f"workspace: Not a Long: {WORKSPACE}", GoalsConfigError, ["400", f"no workspace {WORKSPACE}"]),
        (400, "The result is too large. You should use pagination", AsanaContractError, ["400"]),
        (400, "offset: Your pagination token is invalid.", AsanaContractError, ["400"]),
    ],
    ids=lambda value: f"B3 {value}" if isinstance(value, int) else None,
)
@pytest.mark.parametrize("page", [1, 3], ids=["first page", "third page"])
def test_b3_a_refusal_is_no_empty_list_and_says_what_to_do(
    page: int, status: int, message: str, kind: type[GoalsError], words: list[str], connect: Connect
) -> None:
    script = Script().on(faults.status(status, f"{message} {BODY}"), path="/goals", first=page)
    with serve(flat_world(300), faults=script) as asana:
        with raises(kind, "GET /goals", "no block was changed", *words):
            parse_goals(connect(asana))
        assert asana.count() == page


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (1, ["GET /goals answered 400: Asana refused the request's fields or parameters", "base URL", "upgrade"]),
        (3, ["GET /goals answered 400 on page 3: the list did not come whole", "Run it again", "report it"]),
    ],
    ids=["first page", "third page"],
)
@pytest.mark.parametrize("message", ["opt_fields: Unknown field", "Bad Request", "limit: Must be from 1 to 100"])
@pytest.mark.fault("C32")
def test_a_rejected_request_is_told_apart_from_a_list_that_broke_off(
    page: int, words: list[str], message: str, connect: Connect
) -> None:
    script = Script().on(faults.status(400, f"{message} {BODY}"), path="/goals", first=page)
    with serve(flat_world(300), faults=script) as asana:
        with raises(AsanaContractError, "no block was changed", *words):
            parse_goals(connect(asana))
        assert asana.count() == page


@pytest.mark.parametrize(
    ("gid", "kind"),
    [("78", GoalsConfigError), ("abc", GoalsConfigError), ("", GoalsConfigError), ("99", AsanaAccessError)],
    ids=["unknown", "no number", "empty", "not its user's"],
)
def test_b3_a_workspace_that_the_token_does_not_see_is_refused_by_the_sandbox_itself(
    gid: str, kind: type[GoalsError], connect: Connect
) -> None:
    with serve(flat_world(3), faults=faults.closed("99")) as asana, raises(kind):
        fetch_goals(connect(asana), gid, FIELDS)


@pytest.mark.parametrize("page", [2, 3, 5])
def test_b4_an_offset_that_expired_restarts_the_list_once(page: int, connect: Connect) -> None:
    script = Script().on(EXPIRED, path="/goals", first=page, times=1)
    with serve(flat_world(450), faults=script) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)
        assert asana.count() == page + 5 <= 2 * 5


def test_b4_offsets_that_expire_again_fail_the_list(connect: Connect) -> None:
    script = Script().on(EXPIRED, path="/goals", when=lambda request: "offset" in request.query)
    with serve(flat_world(450), faults=script) as asana:
        with raises(AsanaUnavailableError, "the offset expired twice", "no block was changed"):
            parse_goals(connect(asana))
        assert asana.count() == 4


def test_b4_an_offset_is_used_within_its_quarter_of_an_hour_or_again_from_the_start(connect: Connect) -> None:
    now, pages = [1_000_000.0], []

    def dawdle(done: int) -> None:
        pages.append(done)
        now[0] += 901 if len(pages) == 2 else 1

    with serve(flat_world(450), clock=lambda: now[0]) as asana:
        assert parse_goals(connect(asana), on_page=dawdle) == list(asana.world.goals)
        assert [call.status for call in asana.requests] == [200, 200, 400, 200, 200, 200, 200, 200]
    assert pages == [100, 200, 100, 200, 300, 400, 450]


def test_b4_an_expired_user_token_is_not_taken_for_an_expired_offset(connect: Connect) -> None:
    script = Script().on(faults.status(401, "The bearer token has expired."), first=2)
    with serve(flat_world(450), faults=script) as asana:
        with raises(AsanaAccessError):
            parse_goals(connect(asana))
        assert asana.count() == 2


@pytest.mark.parametrize(
    ("fault", "pages", "words"),
    [
        pytest.param(faults.loop_offsets(1), 2, "repeats an earlier offset", id="B5 the same offset"),
        pytest.param(faults.loop_offsets(2), 3, "repeats an earlier offset", id="B6 two in turn"),
        pytest.param(faults.loop_offsets(3), 4, "repeats an earlier offset", id="B6 three in turn"),
        pytest.param(faults.endless_pages(), MAX_PAGES, "no end after 2,000 pages", id="B6 empty pages for ever"),
    ],
)
@pytest.mark.fault("B5", "B6")
def test_pages_without_end_end(fault: Fault, pages: int, words: str, connect: Connect) -> None:
    with serve(flat_world(1_000), faults=Script().on(fault, path="/goals")) as asana:
        with raises(AsanaContractError, "GET /goals", words, "no block was changed"):
            parse_goals(connect(asana))
        assert asana.count() == pages


@pytest.mark.parametrize("rows", [0, 1, 37], ids=lambda rows: f"B7 {rows} rows")
@pytest.mark.fault("B7")
def test_a_short_or_empty_page_does_not_end_a_list_that_has_a_next_one(rows: int, connect: Connect) -> None:
    with serve(flat_world(250), faults=Script().on(faults.short_pages(rows), path="/goals")) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)
        assert asana.count() == 6


@pytest.mark.hypothesis
@pytest.mark.fault("B7")
def test_where_the_pages_end_makes_no_difference(connect: Connect) -> None:
    with serve(flat_world(90)) as asana:
        client = connect(asana)
        whole = fetch_goals(client, WORKSPACE, FIELDS)

        @usual
        @given(st.lists(st.integers(0, 100), max_size=8))
        def read(sizes: list[int]) -> None:
            asana.faults = pages_of(whole, sizes)
            assert fetch_goals(client, WORKSPACE, FIELDS) == whole

        read()
    assert len(whole) == 90


@pytest.mark.parametrize("where", ["http://127.0.0.1:{}/api/1.0", "https://evil.example", "//127.0.0.1:{}", ""])
def test_b8_the_uri_of_a_next_page_is_never_requested(where: str, connect: Connect) -> None:
    """Following the uri would send the token there."""
    with serve(flat_world(250)) as other, serve(flat_world(250)) as asana:
        asana.faults = faults.foreign_next_page(where.format(other.port))
        assert parse_goals(connect(asana)) == list(asana.world.goals)
        assert (asana.count(), other.count()) == (3, 0)


@pytest.mark.parametrize("changes", [{}, {"name": f"{GOAL_NAME} changed"}], ids=["same", "changed"])
def test_b9_a_goal_on_two_pages_is_handed_on_twice_for_core_to_settle(
    changes: dict[str, Any], connect: Connect
) -> None:
    with serve(flat_world(150), faults=faults.repeat_last_row(**changes)) as asana:
        gids = parse_goals(connect(asana))
    assert len(gids) == 151
    assert gids.count("1100") == 2


@pytest.mark.parametrize("page", [1, 2])
@pytest.mark.parametrize("key", ["data", "next_page"])
def test_a_list_without_data_or_next_page_is_not_taken_for_a_whole_one(key: str, page: int, connect: Connect) -> None:
    script = Script().on(faults.without(key), path="/goals", first=page, times=1)
    with serve(flat_world(150), faults=script) as asana:
        with raises(AsanaContractError, "GET /goals", f"`{key}` is missing", "no block was changed"):
            parse_goals(connect(asana))
        assert asana.count() == page


@pytest.mark.parametrize(
    "next_page",
    [{}, {"offset": None}, {"offset": ""}, {"offset": 7}, {"uri": BODY}, "", BODY, [], 0, False, {"offset": "\ud800"}],
    ids=ascii,
)
def test_a_next_page_without_an_offset_breaks_the_contract(next_page: Any, connect: Connect) -> None:
    """An offset that UTF-8 cannot hold once raised an encoder's error, with the offset in it."""
    with serve(flat_world(3), faults=faults.edit(lambda body: body | {"next_page": next_page})) as asana:
        with raises(AsanaContractError, "`next_page` is missing or has no offset"):
            parse_goals(connect(asana))
        assert asana.count() == 1


@pytest.mark.parametrize("offset", ["a&b=c d/?#%00+", "x" * 2_000], ids=["odd", "long"])
def test_an_offset_goes_back_as_it_came(offset: str, connect: Connect) -> None:
    script = Script().on(faults.edit(lambda body: body | {"next_page": {"offset": offset}}), times=1)
    script.on(faults.reply(200, b'{"data":[],"next_page":null}'))
    with serve(flat_world(3), faults=script) as asana:
        assert len(parse_goals(connect(asana))) == 3
        assert asana.requests[1].query["offset"] == offset
