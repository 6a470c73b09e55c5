"""The walk over sub-goals: by either route, one request a goal. A route that is gone never reads as "no sub-goals"."""

import math
import threading
import time
from typing import Any

import pytest

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.http import IN_FLIGHT
from perfcopilot_goals.asana.pacing import Clock
from perfcopilot_goals.asana.routes import AUTO, GOAL_RELATIONSHIPS, SUBGOALS
from perfcopilot_goals.asana.walk import Walk, walk_subgoals
from perfcopilot_goals.core.goals import refusal_of_lists
from perfcopilot_goals.domain.connection import Unread
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, AsanaUnavailableError, GoalsError
from perfcopilot_goals.sandbox import Fault, Raw, Request, Response, Sandbox
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, GOAL_NAME, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import FIELDS, family_world, flat_world, parents_of, parse_goals, serve
from perfcopilot_goals_tests.scripted_faults import Script, asks_subgoals_of

ROUTES = [SUBGOALS, GOAL_RELATIONSHIPS]
UNKNOWN_GOAL = faults.status(404, f"goal: Unknown object: 12 {BODY}")
NOT_FOUND = faults.status(404, f"Not Found {BODY}")
NO_ROUTE = faults.status(404, "No matching route for request")
FORBIDDEN = faults.status(403, f"You do not have access to this goal. {BODY}")
# Responses of a route that is gone: Asana's own, one without a reason, one as if the goal were gone, another server's.
GONE = {"Asana's": NO_ROUTE, "no reason": NOT_FOUND, "a lie": UNKNOWN_GOAL, "a page": faults.html(404)}
PATHS = {SUBGOALS: "/goals/*/subgoals", GOAL_RELATIONSHIPS: "/goal_relationships"}
WHY = {UNKNOWN_GOAL: Unread.GOAL_UNKNOWN, NOT_FOUND: Unread.NOT_FOUND, FORBIDDEN: Unread.FORBIDDEN}


def walk(client: AsanaClient, asana: Sandbox, **options: Any) -> Walk:
    return walk_subgoals(client, parents_of(asana.world), FIELDS, **options)


def refusal(found: Walk) -> GoalsError | None:
    """The error that ends the sync after this walk, for a connection without stored key results."""
    return refusal_of_lists(found.subgoals, found.unread, (), allow_empty=False)


def gids_of(found: Walk) -> dict[str, list[str]]:
    return {goal: [subgoal["gid"] for subgoal in subgoals] for goal, subgoals in found.subgoals.items()}


def workers_alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("asana")]


@pytest.mark.parametrize("fault", [None, faults.compressed()], ids=["plain", "gzip"])
def test_every_setting_gives_the_same_subgoals(fault: Fault | None, connect: Connect) -> None:
    with serve(family_world(60, 3), routes="both", faults=fault) as asana:
        found = {route: walk(connect(asana), asana, route=route) for route in (AUTO, *ROUTES)}
        expected = {gid: asana.world.subgoals[gid] for gid in parents_of(asana.world)}
    for route, one in found.items():
        assert gids_of(one) == expected
        assert list(one.subgoals) == list(expected)  # in the order of the request, whichever response came first
        assert (one.route, one.unread, one.hidden) == (SUBGOALS if route == AUTO else route, {}, {})
    first, *others = (one.subgoals for one in found.values())
    assert all(other == first for other in others)
    assert first["1001"][0]["name"] == f"{GOAL_NAME} 1.1"


@pytest.mark.parametrize("last_route", [None, *ROUTES])
@pytest.mark.parametrize("route", ROUTES)
def test_auto_finds_the_only_route_there_is(route: Any, last_route: str | None, connect: Connect) -> None:
    with serve(family_world(30), routes=route) as asana:
        found = walk(connect(asana), asana, last_route=last_route)
        assert gids_of(found) == asana.world.subgoals
        assert found.route == route
        assert asana.count() == 30 + (route != (last_route or SUBGOALS))


@pytest.mark.parametrize("last_route", ROUTES)
def test_auto_begins_with_the_route_of_the_last_sync(last_route: str, connect: Connect) -> None:
    with serve(family_world(10), routes="both") as asana:
        assert walk(connect(asana), asana, last_route=last_route).route == last_route
        assert asana.count("/goal_relationships") == (10 if last_route == GOAL_RELATIONSHIPS else 0)


@pytest.mark.parametrize("goals", [0, 1, 2, 60])
@pytest.mark.parametrize("route", ROUTES)
def test_a_whole_sync_costs_its_pages_a_request_a_goal_and_at_most_one(
    route: Any, goals: int, connect: Connect
) -> None:
    with serve(family_world(goals, 2), routes=route) as asana:
        client = connect(asana)
        pages = max(1, math.ceil(len(parse_goals(client)) / 100))
        walk(client, asana)
        assert pages + goals <= asana.count() <= pages + goals + (route == GOAL_RELATIONSHIPS and goals > 0)


@pytest.mark.parametrize("fault", [UNKNOWN_GOAL, NOT_FOUND], ids=["names the goal", "names nothing"])
@pytest.mark.parametrize("where", ["first", "last", "spread"])
@pytest.mark.parametrize("last_route", ROUTES)
@pytest.mark.parametrize("routes", ["both", *ROUTES])
def test_five_goals_that_are_gone_on_both_routes_cost_one_request_more(
    routes: Any, last_route: str, where: str, fault: Fault, connect: Connect
) -> None:
    """The other route was once asked for each of the first goals, until one was there."""
    world = family_world(24)
    goals = parents_of(world)
    gone = {"first": goals[:5], "last": goals[-5:], "spread": goals[::5]}[where]
    script = Script().on(fault, when=asks_subgoals_of(*gone))
    if routes != "both":
        (absent,) = {*ROUTES} - {routes}
        script = Script().on(NO_ROUTE, path=PATHS[absent]).on(fault, when=asks_subgoals_of(*gone))
    with serve(world, routes=routes, faults=script) as asana:
        found = walk(connect(asana), asana, last_route=last_route)
        assert asana.count() <= 24 + 1
    assert found.route == (last_route if routes == "both" else routes)
    assert found.unread == dict.fromkeys(gone, WHY[fault])
    assert gids_of(found) == {gid: world.subgoals[gid] for gid in goals if gid not in gone}


@pytest.mark.parametrize("routes", ["both", *ROUTES])
def test_the_first_goal_may_have_been_deleted_since_it_was_listed(routes: Any, connect: Connect) -> None:
    world = family_world(20)
    goals = parents_of(world)
    world.delete(goals[0])
    with serve(world, routes=routes) as asana:
        found = walk_subgoals(connect(asana), goals, FIELDS)
        assert asana.count() <= 20 + 1
    assert (found.route, found.unread) == (
        GOAL_RELATIONSHIPS if routes == GOAL_RELATIONSHIPS else SUBGOALS,
        {"1001": Unread.GOAL_UNKNOWN},
    )
    assert list(found.subgoals) == goals[1:]


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("routes", ["both", *ROUTES])
def test_goals_that_were_hidden_meanwhile_stay_without_key_results(routes: Any, status: int, connect: Connect) -> None:
    def fault(request: Request, response: Response) -> Response | Raw:
        return UNKNOWN_GOAL(request, response) if (response.status, status) == (403, 404) else response

    world = family_world(30)
    goals = parents_of(world)
    world.hidden |= {goals[0], goals[7], goals[29]}
    with serve(world, routes=routes, faults=fault) as asana:
        found = walk_subgoals(connect(asana), goals, FIELDS)
        assert asana.count() <= 30 + 1
    why = Unread.FORBIDDEN if status == 403 else Unread.GOAL_UNKNOWN
    assert found.unread == dict.fromkeys((goals[0], goals[7], goals[29]), why)
    assert list(found.unread) == [goals[0], goals[7], goals[29]]
    assert len(found.subgoals) == 27


@pytest.mark.parametrize("goals", [1, 2, 5, 60])
@pytest.mark.parametrize("route", [AUTO, *ROUTES])
def test_goals_that_are_all_gone_are_unread_where_asana_names_them(route: str, goals: int, connect: Connect) -> None:
    with serve(family_world(goals), routes="both", faults=UNKNOWN_GOAL) as asana:
        found = walk(connect(asana), asana, route=route)
        assert asana.count() <= goals + 1
    assert (found.unread, found.subgoals) == (dict.fromkeys(parents_of(asana.world), Unread.GOAL_UNKNOWN), {})
    assert refusal(found) is None


@pytest.mark.parametrize("goals", [2, 5, 60])
def test_lists_that_are_all_missing_without_a_reason_are_not_taken_for_empty_ones(goals: int, connect: Connect) -> None:
    """A wrong address answers 404 to everything. Every key result would have been removed."""
    with serve(family_world(goals), routes="both", faults=NOT_FOUND) as asana:
        found = walk(connect(asana), asana)
        assert asana.count() <= goals + 2
    assert (found.unread, found.subgoals) == (dict.fromkeys(parents_of(asana.world), Unread.NOT_FOUND), {})
    assert isinstance(refusal(found), AsanaContractError)


@pytest.mark.parametrize("route", [AUTO, *ROUTES])
@pytest.mark.parametrize("goals", [1, 2, 5, 100])
def test_a_token_that_may_read_no_subgoals_at_all_is_refused(goals: int, route: str, connect: Connect) -> None:
    with serve(family_world(goals, 0), routes="both", faults=FORBIDDEN) as asana:
        found = walk(connect(asana), asana, route=route)
        assert asana.count() == goals
    assert (found.unread, found.subgoals) == (dict.fromkeys(parents_of(asana.world), Unread.FORBIDDEN), {})
    assert isinstance(refusal(found), AsanaAccessError)


@pytest.mark.fault("B30")
@pytest.mark.parametrize(
    "gone", [UNKNOWN_GOAL, NOT_FOUND, NO_ROUTE, faults.html(404)], ids=["lie", "none", "Asana", ""]
)
@pytest.mark.parametrize("goals", [1, 2, 5, 60])
@pytest.mark.parametrize(("route", "other"), [ROUTES, ROUTES[::-1]], ids=ROUTES)
def test_lists_that_the_only_route_refuses_are_refused_however_the_other_says_it_is_gone(
    route: str, other: str, goals: int, gone: Fault, connect: Connect
) -> None:
    """The route used last said `Not Found`, the other 403. The sync went on without key results."""
    script = Script().on(gone, path=PATHS[route]).on(FORBIDDEN, path=PATHS[other])
    with serve(family_world(goals), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana, last_route=route)
        assert asana.count() == goals + 1
    assert (found.unread, found.subgoals) == (dict.fromkeys(parents_of(asana.world), Unread.FORBIDDEN), {})
    assert isinstance(refusal(found), AsanaAccessError)


@pytest.mark.fault("B30")
@pytest.mark.parametrize("gone", [UNKNOWN_GOAL, NOT_FOUND, faults.html(404)], ids=["lie", "none", "page"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_fixed_route_that_is_gone_in_other_words_counts_as_refused_if_the_other_refuses(
    route: str, gone: Fault, connect: Connect
) -> None:
    (other,) = {*ROUTES} - {route}
    script = Script().on(gone, path=PATHS[route]).on(FORBIDDEN, path=PATHS[other])
    with serve(family_world(20), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana, route=route)
    assert Unread.FORBIDDEN in found.unread.values()
    assert (found.subgoals, found.route) == ({}, route)
    assert isinstance(refusal(found), AsanaAccessError)


@pytest.mark.fault("B33")
@pytest.mark.parametrize("gone", [UNKNOWN_GOAL, NOT_FOUND, faults.html(404)], ids=["lie", "none", "page"])
@pytest.mark.parametrize("hidden", [["1001"], ["1001", "1005"], ["1001", "1002", "1005"]], ids=len)
def test_goals_that_the_other_route_refuses_do_not_hide_that_the_route_in_use_is_gone(
    hidden: list[str], gone: Fault, connect: Connect
) -> None:
    """The first and the last goal, which both routes are asked for, were hidden. All between lost their key results."""
    script = Script().on(gone, path=PATHS[SUBGOALS]).on(FORBIDDEN, when=asks_subgoals_of(*hidden))
    with serve(family_world(5), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana, last_route=SUBGOALS)
        assert asana.count() == 5 + 1
        assert gids_of(found) == {g: subs for g, subs in asana.world.subgoals.items() if g not in hidden}
    assert (found.route, found.unread) == (GOAL_RELATIONSHIPS, dict.fromkeys(hidden, Unread.FORBIDDEN))


@pytest.mark.fault("B33")
@pytest.mark.parametrize("setting", [AUTO, SUBGOALS])
def test_a_route_that_goes_away_in_the_middle_is_noticed_though_the_telling_goal_was_hidden(
    setting: str, connect: Connect
) -> None:
    """The other route was asked for one of the last goals, and these were hidden. All others counted as deleted."""
    hidden = [str(gid) for gid in range(1141, 1201)]
    script = (
        Script()
        .on(NOT_FOUND, path=PATHS[SUBGOALS], first=31)
        .on(FORBIDDEN, path=PATHS[GOAL_RELATIONSHIPS], when=asks_subgoals_of(*hidden))
    )
    with serve(family_world(200, 1), routes="both", faults=script) as asana:
        if setting != AUTO:
            with raises(AsanaContractError, "route subgoals is gone", "--subgoal-route auto"):
                walk(connect(asana), asana, route=setting)
            return
        found = walk(connect(asana), asana)
        assert gids_of(found) == {g: subs for g, subs in asana.world.subgoals.items() if g not in hidden}
    assert (found.route, found.unread) == (GOAL_RELATIONSHIPS, dict.fromkeys(hidden, Unread.FORBIDDEN))


@pytest.mark.fault("B33")
@pytest.mark.parametrize("setting", [AUTO, SUBGOALS])
def test_lists_lost_in_the_middle_that_the_other_route_refuses_count_as_refused_not_deleted(
    setting: str, connect: Connect
) -> None:
    script = Script().on(NOT_FOUND, path=PATHS[SUBGOALS], first=31).on(FORBIDDEN, path=PATHS[GOAL_RELATIONSHIPS])
    with serve(family_world(200, 1), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana, route=setting)
    assert (len(found.subgoals), set(found.unread.values())) == (30, {Unread.FORBIDDEN})
    assert isinstance(refusal_of_lists(found.subgoals, found.unread, found.unread, allow_empty=False), AsanaAccessError)
    # The next sync must begin with the route that had lists, or it would be refused for ever.
    assert found.route == SUBGOALS


@pytest.mark.fault("B33")
def test_a_goal_that_only_the_other_route_names_as_gone_does_not_prove_the_route_in_use(connect: Connect) -> None:
    """The first and the last goal were deleted. A route that is gone says no more about them than about all others."""
    world = family_world(5)
    script = Script().on(NOT_FOUND, path=PATHS[SUBGOALS])
    goals = parents_of(world)
    world.delete("1001")
    world.delete("1005")
    with serve(world, routes="both", faults=script) as asana:
        found = walk_subgoals(connect(asana), goals, FIELDS, last_route=SUBGOALS)
        assert asana.count() == 5 + 1
    assert gids_of(found) == world.subgoals
    assert found.unread == {"1001": Unread.GOAL_UNKNOWN, "1005": Unread.GOAL_UNKNOWN}


@pytest.mark.fault("B33")
def test_a_first_goal_gone_on_both_routes_does_not_hide_a_route_gone_in_other_words(connect: Connect) -> None:
    script = Script().on(NOT_FOUND, path=PATHS[SUBGOALS]).on(NOT_FOUND, when=asks_subgoals_of("1001"))
    with serve(family_world(5), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana, last_route=SUBGOALS)
        assert gids_of(found) == {g: subs for g, subs in asana.world.subgoals.items() if g != "1001"}
    assert (found.route, found.unread) == (GOAL_RELATIONSHIPS, {"1001": Unread.NOT_FOUND})


@pytest.mark.fault("B33")
def test_what_a_route_said_before_it_proved_to_be_gone_does_not_count(connect: Connect) -> None:
    """While a route was switched off, some responses said so and others named a goal. Those goals lost their lists."""
    script = (
        Script()
        .on(UNKNOWN_GOAL, path="/goals/1002/subgoals")
        .on(FORBIDDEN, path="/goals/1003/subgoals")
        .on(NO_ROUTE, path=PATHS[SUBGOALS], first=2)
    )
    with serve(family_world(5), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana, last_route=SUBGOALS)
        assert gids_of(found) == asana.world.subgoals
    assert (found.route, found.unread) == (GOAL_RELATIONSHIPS, {})


@pytest.mark.fault("B33")
def test_a_list_that_fails_for_good_after_the_change_of_routes_fails_the_walk(connect: Connect) -> None:
    """It once counted as the list of a deleted goal."""
    script = (
        Script()
        .on(NOT_FOUND, path=PATHS[SUBGOALS], first=31)
        .on(faults.status(500), path=PATHS[GOAL_RELATIONSHIPS], when=asks_subgoals_of("1040"))
    )
    words = ["goal 1040 could not be read", "status 500"]
    with serve(family_world(60), routes="both", faults=script) as asana, raises(AsanaUnavailableError, *words):
        walk(connect(asana), asana)


@pytest.mark.fault("B30")
@pytest.mark.parametrize("setting", [AUTO, GOAL_RELATIONSHIPS])
def test_refusals_count_more_than_one_goal_that_says_the_route_is_unknown(setting: str, connect: Connect) -> None:
    script = Script().on(NO_ROUTE, when=asks_subgoals_of("1003")).on(FORBIDDEN)
    with serve(family_world(6), faults=script) as asana:
        found = walk(connect(asana), asana, route=setting)
    assert isinstance(refusal(found), AsanaAccessError)


def test_refusals_do_not_keep_all_others_waiting_in_line(connect: Connect) -> None:
    """A token that may read no sub-goals was refused goal by goal, for half an hour with a few thousand goals."""
    with serve(family_world(100, 0), routes="both", faults=faults.in_turn(FORBIDDEN, faults.slow(0.5))) as asana:
        assert isinstance(refusal(walk(connect(asana), asana)), AsanaAccessError)
        assert asana.max_in_flight > 20


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("route", ROUTES)
def test_a_refused_first_goal_does_not_hide_a_route_that_is_gone(route: Any, status: int, connect: Connect) -> None:
    script = Script().on(faults.status(status, "goal: Unknown object: 1001"), when=asks_subgoals_of("1001"))
    with serve(family_world(20), routes=route, faults=script) as asana:
        found = walk(connect(asana), asana)
        assert asana.count() <= 20 + 2
    why = Unread.FORBIDDEN if status == 403 else Unread.GOAL_UNKNOWN
    assert (found.route, found.unread, len(found.subgoals)) == (route, {"1001": why}, 19)


@pytest.mark.parametrize(("route", "other"), [ROUTES, ROUTES[::-1]], ids=ROUTES)
@pytest.mark.parametrize(
    "gone", [NO_ROUTE, NOT_FOUND, UNKNOWN_GOAL, faults.html(404)], ids=["Asana", "none", "lie", "page"]
)
def test_a_fixed_route_that_is_gone_breaks_the_contract(gone: Fault, route: str, other: str, connect: Connect) -> None:
    script = Script().on(gone, path=PATHS[route])
    with serve(family_world(20), routes="both", faults=script) as asana:
        with raises(AsanaContractError, f"route {route} is gone", "--subgoal-route auto", "no block was changed"):
            walk(connect(asana), asana, route=route)
        assert asana.count() <= 2


@pytest.mark.parametrize(("route", "other"), [ROUTES, ROUTES[::-1]], ids=ROUTES)
@pytest.mark.parametrize(
    "gone", [NO_ROUTE, NOT_FOUND, UNKNOWN_GOAL, faults.html(404)], ids=["Asana", "none", "lie", "page"]
)
def test_auto_switches_routes_in_whatever_words_the_old_one_says_it_is_gone(
    gone: Fault, route: str, other: str, connect: Connect
) -> None:
    with serve(family_world(20), routes="both", faults=Script().on(gone, path=PATHS[route])) as asana:
        found = walk(connect(asana), asana, last_route=route)
        assert asana.count() == 20 + 1
        assert gids_of(found) == asana.world.subgoals
    assert (found.route, found.unread) == (other, {})


@pytest.mark.parametrize("setting", [AUTO, *ROUTES])
def test_both_routes_gone_breaks_the_contract(setting: str, connect: Connect) -> None:
    with serve(family_world(20), faults=NO_ROUTE) as asana:
        with raises(AsanaContractError, "no block was changed"):
            walk(connect(asana), asana, route=setting)
        assert asana.count() <= 2


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_a_route_that_goes_away_in_the_middle_takes_the_whole_sync_to_the_other(gone: Fault, connect: Connect) -> None:
    """A 404 for a path that Asana no longer knew once ended the walk, although the other route was there."""
    script = Script().on(gone, path=PATHS[SUBGOALS], first=31)
    with serve(family_world(200), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana)
        assert gids_of(found) == asana.world.subgoals
        assert asana.count("/goals/") - 30 <= (IN_FLIGHT if gone is NO_ROUTE else 170)
    assert (found.route, found.unread) == (GOAL_RELATIONSHIPS, {})


def test_both_routes_that_go_away_in_the_middle_break_the_contract(connect: Connect) -> None:
    script = Script().on(NO_ROUTE, first=31)
    words = ["neither sub-goal route exists", SUBGOALS, GOAL_RELATIONSHIPS]
    with serve(family_world(200), routes="both", faults=script) as asana, raises(AsanaContractError, *words):
        walk(connect(asana), asana)


def test_a_goal_gone_later_in_the_walk_is_confirmed_once_by_the_other_route(connect: Connect) -> None:
    world = family_world(30)
    goals = parents_of(world)
    world.delete(goals[20])
    with serve(world, routes="both") as asana:
        found = walk_subgoals(connect(asana), goals, FIELDS)
        assert (asana.count("/goals/"), asana.count("/goal_relationships")) == (30, 1)
    assert (found.route, found.unread) == (SUBGOALS, {goals[20]: Unread.GOAL_UNKNOWN})


def test_a_goal_that_the_other_route_still_has_means_that_the_route_is_gone(connect: Connect) -> None:
    script = Script().on(NOT_FOUND, path="/goals/1020/subgoals").on(NOT_FOUND, path="/goals/1025/subgoals")
    with serve(family_world(30), routes="both", faults=script) as asana:
        found = walk(connect(asana), asana)
        assert gids_of(found) == asana.world.subgoals
        assert asana.count("/goal_relationships") == 2
    assert (found.route, found.unread) == (GOAL_RELATIONSHIPS, {})


@pytest.mark.parametrize("paged", [False, True], ids=["unpaged", "paged"])
@pytest.mark.parametrize(("route", "children"), [(r, n) for r in ROUTES for n in (0, 99, 100, 101, 130, 250)])
def test_a_goal_may_have_more_subgoals_than_a_page(route: str, children: int, paged: bool, connect: Connect) -> None:
    with serve(family_world(2, children), routes="both", subgoals_paged=paged) as asana:
        found = walk(connect(asana), asana, route=route)
        assert [len(subgoals) for subgoals in found.subgoals.values()] == [children, children]
        pages = max(1, math.ceil(children / 100)) if paged or route == GOAL_RELATIONSHIPS else 1
        assert asana.count() == 2 * pages


@pytest.mark.parametrize("rows", [0, 40])
def test_a_short_page_of_subgoals_does_not_end_the_list(rows: int, connect: Connect) -> None:
    script = Script().on(faults.short_pages(rows), path="/goal_relationships")
    with serve(family_world(1, 130), faults=script) as asana:
        assert len(walk(connect(asana), asana, route=GOAL_RELATIONSHIPS).subgoals["1001"]) == 130


@pytest.mark.fault("B32")
def test_subgoals_that_asana_lists_without_showing_them_are_counted_by_parent(connect: Connect) -> None:
    def hide(row: dict[str, Any]) -> dict[str, Any]:
        gid = row["supporting_resource"]["gid"]
        is_hidden = gid.endswith("2") and int(gid) % 2_000 < 1_000
        return row | {"supporting_resource": None} if is_hidden else row

    with serve(family_world(20, 3), faults=faults.edit_rows(hide)) as asana:
        found = walk(connect(asana), asana, route=GOAL_RELATIONSHIPS)
    hidden = {str(1000 + n): 1 for n in range(2, 21, 2)}
    assert (found.hidden, list(found.hidden)) == (hidden, list(hidden))
    assert {gid for gid, subgoals in found.subgoals.items() if len(subgoals) == 2} == set(hidden)
    assert {len(subgoals) for subgoals in found.subgoals.values()} == {2, 3}


@pytest.mark.parametrize("resource", ["missing", 7, BODY, [], True], ids=repr)
def test_a_relationship_without_its_subgoal_breaks_the_contract(resource: Any, connect: Connect) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        row.pop("supporting_resource")
        return row if resource == "missing" else row | {"supporting_resource": resource}

    script = faults.edit_rows(change)
    with serve(family_world(3), faults=script) as asana, raises(AsanaContractError, "supporting_resource"):
        walk(connect(asana), asana, route=GOAL_RELATIONSHIPS)


def test_only_subgoals_are_key_results_though_a_server_lists_all_that_supports_a_goal(connect: Connect) -> None:
    def mix(row: dict[str, Any]) -> dict[str, Any]:
        is_project = row["supporting_resource"]["gid"].endswith("2")
        return row | {"resource_subtype": "supporting_work"} if is_project else row

    with serve(family_world(2, 3), faults=faults.edit_rows(mix)) as asana:
        found = walk(connect(asana), asana, route=GOAL_RELATIONSHIPS)
        assert {call.query["resource_subtype"] for call in asana.requests} == {"subgoal"}
    assert gids_of(found) == {"1001": ["1001001", "1001003"], "1002": ["1002001", "1002003"]}


@pytest.mark.parametrize("key", ["data", "next_page"])
def test_relationships_without_data_or_next_page_break_the_contract(key: str, connect: Connect) -> None:
    with serve(family_world(3), faults=faults.without(key)) as asana, raises(AsanaContractError, f"`{key}` is missing"):
        walk(connect(asana), asana, route=GOAL_RELATIONSHIPS)


def test_subgoals_without_data_break_the_contract_but_may_lack_a_next_page(connect: Connect) -> None:
    with serve(family_world(3), routes="both", subgoals_paged=True, faults=faults.without("next_page")) as asana:
        assert gids_of(walk(connect(asana), asana, route=SUBGOALS)) == asana.world.subgoals
        asana.faults = faults.without("data")
        with raises(AsanaContractError, "`data` is missing"):
            walk(connect(asana), asana, route=SUBGOALS)


@pytest.mark.parametrize(
    ("route", "request_"),
    [(SUBGOALS, "GET /goals/1002/subgoals"), (GOAL_RELATIONSHIPS, "GET /goal_relationships of goal 1002")],
)
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (
            faults.status(400, f"opt_fields: {BODY}"),
            AsanaContractError,
            [" answered 400: Asana refused the request's fields", "base URL"],
        ),
        (faults.without("data"), AsanaContractError, [": `data` is missing", "Run it again"]),
        (faults.status(401, BODY), AsanaAccessError, [" answered 401: Asana no longer accepts the token", "token_ref"]),
    ],
    ids=["C32 its fields are refused", "C33 no data", "no access"],
)
def test_an_error_in_one_goals_list_names_the_goal_and_what_to_do(
    fault: Fault, kind: type[GoalsError], words: list[str], route: str, request_: str, connect: Connect
) -> None:
    script = Script().on(fault, when=asks_subgoals_of("1002"))
    said = [f"{kind.__name__}: {request_}{words[0]}", "; no block was changed. ", words[1]]
    with serve(family_world(3), routes="both", faults=script) as asana, raises(kind, *said):
        walk(connect(asana), asana, route=route)


@pytest.mark.parametrize("status", [400, 401, 402, 451])
@pytest.mark.parametrize("first", [1, 31], ids=["at once", "in the middle"])
@pytest.mark.parametrize("route", ROUTES)
def test_b2_a_token_that_is_refused_in_the_walk_ends_it(status: int, first: int, route: str, connect: Connect) -> None:
    script = Script().on(faults.status(status, f"Not Authorized {BODY}"), first=first)
    kind = AsanaContractError if status == 400 else AsanaAccessError
    with serve(family_world(300, 0), routes="both", faults=script) as asana:
        with raises(kind, f"answered {status}", "no block was changed"):
            walk(connect(asana), asana, route=route)
        assert asana.count() <= first + 2 * IN_FLIGHT
    assert workers_alive() == []


def test_a_refusal_ends_the_walk_also_while_other_workers_hang(connect: Connect) -> None:
    script = Script().on(faults.status(401), path="/goals/1150/subgoals").on(faults.silence(), first=102)
    with serve(family_world(300, 0), routes="both", faults=script) as asana:
        before = time.monotonic()
        with raises(AsanaAccessError, "401"):
            walk(connect(asana), asana)
        assert time.monotonic() - before < 30
    assert workers_alive() == []


def test_a_refusal_is_told_although_lists_that_failed_for_good_are_looked_at_with_it(connect: Connect) -> None:
    """What becomes of a failed list is decided in another thread than the one that asked for it."""
    # Three, whose nine retries are within the budget however few requests were sent before.
    bad, refused = ["1010", "1011", "1012"], "1040"
    given_up, answered = threading.Event(), threading.Event()

    def fault(request: Request, response: Response) -> Response | Raw:
        if asks_subgoals_of(refused)(request):
            given_up.wait(10)
            answered.set()
            return faults.status(401)(request, response)
        if asks_subgoals_of(*bad)(request):
            tries = sum(asks_subgoals_of(*bad)(call) for call in asana.requests)
            if tries == 4 * len(bad):
                given_up.set()
            return faults.status(503)(request, response)
        return response

    def look_at_both_together(done: int) -> None:
        if done == 2:
            answered.wait(10)
            time.sleep(0.3)

    with serve(family_world(60, 0), routes="both", faults=fault) as asana, raises(AsanaAccessError, "401"):
        walk(connect(asana), asana, on_goal=look_at_both_together)
    assert workers_alive() == []


@pytest.mark.parametrize("fault", [faults.status(503), faults.status(429)], ids=["503", "429"])
def test_a_storm_over_the_walk_stays_within_the_retry_budget(fault: Fault, connect: Connect) -> None:
    with serve(family_world(400, 0), routes="both", faults=Script().on(fault, first=101)) as asana:
        client = connect(asana)
        with raises(AsanaUnavailableError, "no block was changed"):
            walk(client, asana)
        # When the storm ends the walk, a request may have been sent and never have arrived.
        assert asana.count() <= client.stats.requests <= (100 + IN_FLIGHT) * 1.2 + 10
    assert workers_alive() == []


@pytest.mark.fault("A16")
@pytest.mark.parametrize("goals", [("1001", "1003"), ("1002", "1090"), ("1040", "1090")])
@pytest.mark.parametrize("route", ROUTES)
def test_two_lists_that_fail_for_good_fail_the_walk_which_names_both(
    route: Any, goals: tuple[str, str], connect: Connect
) -> None:
    script = Script().on(faults.status(500), when=asks_subgoals_of(*goals))
    named = f"goals {', '.join(goals)} could not be read"
    with serve(family_world(100, 0), routes=route, faults=script) as asana:
        with raises(AsanaUnavailableError, named, "status 500", "4 attempts"):
            walk(connect(asana), asana, last_route=route)
        assert asana.count() == 100 + 2 * 3
    assert workers_alive() == []


@pytest.mark.fault("A16")
def test_twelve_lists_that_fail_for_good_are_counted_and_ten_of_them_named(connect: Connect) -> None:
    bad = [str(gid) for gid in range(1301, 1313)]
    script = Script().on(faults.status(500), when=asks_subgoals_of(*bad))
    with serve(family_world(400, 0), routes="both", faults=script) as asana:
        with raises(AsanaUnavailableError, "and 2 more could not be read"):
            walk(connect(asana), asana)
        assert asana.count() == 400 + 12 * 3


def test_a_passing_storm_costs_only_the_requests_it_rejected(connect: Connect) -> None:
    # Each of twelve goals once. Waits take no time here, so twelve responses in a row could all be one goal's.
    storm = Script()
    for goal_gid in range(1050, 1062):
        storm.on(faults.status(503), when=asks_subgoals_of(str(goal_gid)), times=1)
    with serve(family_world(200), routes="both", faults=storm) as asana:
        assert gids_of(walk(connect(asana), asana)) == asana.world.subgoals
        assert asana.count() == 212


def test_b23_never_more_than_fifty_are_in_flight(connect: Connect) -> None:
    with serve(family_world(250, 0), routes="both", latency_seconds=0.4) as asana:
        walk(connect(asana), asana)
        assert 25 <= asana.max_in_flight <= IN_FLIGHT
        assert asana.rejected == 0


@pytest.mark.parametrize("goals", [0, 1, 60])
def test_progress_counts_every_goal_once(goals: int, connect: Connect) -> None:
    told: list[int] = []
    script = Script().on(FORBIDDEN, when=asks_subgoals_of("1003", "1050"))
    with serve(family_world(goals), routes="both", faults=script) as asana:
        walk(connect(asana), asana, on_goal=told.append)
    assert told == list(range(1, goals + 1))


@pytest.mark.parametrize("status", [401, 402, 403, 451])
@pytest.mark.parametrize("first", [1, 20], ids=["at first", "in the middle"])
def test_a_refusal_as_a_page_fails_the_walk_and_drops_no_list(status: int, first: int, connect: Connect) -> None:
    """A company proxy's 403 once counted as Asana's, and single goals lost their key results."""
    script = Script().on(faults.html(status), first=first, times=1)
    with serve(family_world(40), routes="both", faults=script) as asana:
        with raises(AsanaContractError, f"status {status} with content-type 'text/html'", "Check the proxy"):
            walk(connect(asana), asana)
        assert asana.count() < first + IN_FLIGHT


def test_no_goals_cost_no_request_and_show_no_route(connect: Connect) -> None:
    with serve(flat_world(3)) as asana:
        assert walk_subgoals(connect(asana), [], FIELDS) == Walk(None)
        assert asana.count() == 0


@pytest.mark.parametrize("goal", [1, 30])
def test_f2_ctrl_c_ends_the_walk_though_every_worker_waits_for_a_response(goal: int, connect: Connect) -> None:
    def interrupt(done: int) -> None:
        if done == goal:
            raise KeyboardInterrupt

    script = Script().on(faults.silence(), first=goal + 1)
    with serve(family_world(200, 0), routes="both", faults=script) as asana:
        before = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            walk(connect(asana), asana, on_goal=interrupt)
        assert time.monotonic() - before < 20
        assert workers_alive() == []
        time.sleep(0.5)  # the server still counts what was under way
        sent = asana.count()
        time.sleep(0.1)
        assert asana.count() == sent <= goal + IN_FLIGHT


def test_f2_ctrl_c_ends_the_walk_though_every_worker_waits_for_its_turn(connect: Connect) -> None:
    def interrupt(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with serve(family_world(200, 0), routes="both") as asana:
        before = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            walk(connect(asana, clock=Clock(), requests_per_minute=60), asana, on_goal=interrupt)
        # Workers that went on would send one request a second, for fifty seconds and more.
        assert time.monotonic() - before < 15
        assert asana.count() <= 5
    assert workers_alive() == []
