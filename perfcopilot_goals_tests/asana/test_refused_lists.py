"""Any mixture of 200, 403 and 404 on both routes: what the walk brings, and whether the sync may go on with it.

The walk asks a real server. Its responses are then judged twice: by the product, and by a plain model that does not
know how a route is found.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations, cycle
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.routes import AUTO, GOAL_RELATIONSHIPS, SUBGOALS
from perfcopilot_goals.asana.walk import PROBES, Walk, walk_subgoals
from perfcopilot_goals.core.goals import refusal_of_lists
from perfcopilot_goals.domain.connection import Unread
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError
from perfcopilot_goals.sandbox import Raw, Request, Response
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, TOKEN
from perfcopilot_goals_tests.asana.worlds import FIELDS, family_world, parents_of, serve
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.core.examples import EXAMPLES, usual

Reply = Literal["read", "refused", "names the goal", "names nothing", "names the route"]
REFUSALS = {
    "refused": faults.status(403, f"Forbidden {BODY}"),
    "names the goal": faults.status(404, f"supported_goal: Unknown object: 12 {BODY}"),
    "names nothing": faults.status(404, f"Not Found {BODY}"),
    "names the route": faults.status(404, "No matching route for request"),
}
WHY = {
    "refused": Unread.FORBIDDEN,
    "names the goal": Unread.GOAL_UNKNOWN,
    "names nothing": Unread.NOT_FOUND,
    "names the route": Unread.NOT_FOUND,
}
# Responses that say more about a goal come first.
REPLIES: list[Reply] = ["read", "refused", "names the goal", "names nothing", "names the route"]
MISSING = REPLIES[2:]
SILENT = REPLIES[3:]
ROUTES = (SUBGOALS, GOAL_RELATIONSHIPS)
KINDS: list[tuple[Reply, ...]] = [kinds for count in (1, 2, 3) for kinds in combinations(REPLIES, count)]
KINDS += [(REPLIES[0], *REPLIES[1:2] * 2)] * 5 + [(REPLIES[3],)] * 3
GOALS = 12
# Used in turn, so that a request shows which case it belongs to.
TOKENS = [f"{TOKEN}-{number}" for number in range(64)]


@dataclass
class Case:
    """What each route says about each goal, and how the sync asks."""

    says: dict[str, dict[str, Reply]]
    setting: str
    last_route: str | None
    stored: set[str]
    allow_empty: bool
    token: str = TOKEN
    # Route, goal and response of every request, in order.
    said: list[tuple[str, str, Reply]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request, response: Response) -> Response | Raw:
        if request.headers["Authorization"] != f"Bearer {self.token}":
            return response  # from a worker of an earlier case that was not waited for
        is_relation = request.path == "/goal_relationships"
        route = GOAL_RELATIONSHIPS if is_relation else SUBGOALS
        gid = request.query["supported_goal"] if is_relation else request.path.split("/")[2]
        reply = self.says[route][gid]
        with self.lock:
            self.said.append((route, gid, reply))
        return response if reply == "read" else REFUSALS[reply](request, response)

    def best(self) -> dict[str, Reply]:
        """For each goal that was asked for, the response that says most."""
        found: dict[str, Reply] = {}
        for _, gid, reply in self.said:
            found[gid] = min(reply, found.get(gid, reply), key=REPLIES.index)
        return found

    def routes_that_said(self, *replies: Reply) -> set[str]:
        return {route for route, _, reply in self.said if reply in replies}

    @property
    def first_route(self) -> str:
        return self.setting if self.setting != AUTO else self.last_route or SUBGOALS


@st.composite
def cases(draw: st.DrawFn, goals: list[str]) -> Case:
    """Each route sends few kinds of responses. So some routes are gone, and some refuse all or many goals."""
    walked = goals[: draw(st.sampled_from([*range(GOALS), *[GOALS] * 6]))]
    says: dict[str, dict[str, Reply]] = {}
    for route in ROUTES:
        kinds = draw(st.sampled_from(KINDS))
        says[route] = {gid: draw(st.sampled_from(kinds)) for gid in walked}
    stored = draw(st.sampled_from([walked, walked[1:], walked[::2], []]))
    # Goals that have key results stored but are not walked any more.
    elsewhere = [f"9{number}" for number in range(draw(st.sampled_from([0, 0, 50, 100])))]
    return Case(
        says,
        setting=draw(st.sampled_from([AUTO, AUTO, *ROUTES])),
        last_route=draw(st.sampled_from([None, *ROUTES])),
        stored={*stored, *elsewhere},
        allow_empty=draw(st.sampled_from([False, False, True])),
    )


def expected(case: Case) -> str:
    """What the model expects after all replies: which goals lose key results, and whether that is allowed."""
    replies = Counter(case.best().values())
    lost = sum(reply == "refused" and gid in case.stored for gid, reply in case.best().items())
    if replies["refused"] and not replies["read"]:
        return "no access"
    if replies.total() > 1 and replies.total() == replies["names nothing"] + replies["names the route"]:
        return "no reason"
    if lost > 5 and lost / len(case.stored) > 0.1 and not case.allow_empty:
        return "access lost"
    return "goes on"


def judged(case: Case, found: Walk) -> str:
    """The product's verdict, by its error."""
    error = refusal_of_lists(found.subgoals, found.unread, case.stored, allow_empty=case.allow_empty)
    if isinstance(error, AsanaAccessError):
        return "access lost" if found.subgoals else "no access"
    assert error is None or isinstance(error, AsanaContractError)
    return "goes on" if error is None else "no reason"


def check_walk(case: Case, found: Walk, goals: list[str]) -> None:
    """Assert that the walk's result is what the server said: each goal was read, or is unread for the right reason."""
    best = case.best()
    assert best.keys() == set(goals)
    assert list(found.subgoals) == [gid for gid in goals if best[gid] == "read"]
    assert list(found.unread) == [gid for gid in goals if best[gid] != "read"]
    assert found.unread == {gid: WHY[reply] for gid, reply in best.items() if reply != "read"}
    assert len(case.said) <= 2 * len(goals) + 1
    readers = case.routes_that_said("read")
    assert found.route in readers or not readers


def check_sync_that_goes_on(case: Case, found: Walk, goals: list[str]) -> None:
    """Assert that no list was lost to a route that is gone, and that no goal was mistaken for such a route."""
    if not set(found.unread.values()) <= {Unread.FORBIDDEN}:
        assert case.routes_that_said(*MISSING) == {*ROUTES}, "a 404 counts only where the other route has one too"
    if case.setting != AUTO:
        assert case.routes_that_said("read") <= {case.setting}
        assert found.route == (case.setting if goals else None)
        return
    (other,) = {*ROUTES} - {case.first_route}
    if case.first_route in case.routes_that_said("names the route"):
        assert set(found.unread) <= {gid for route, gid, _ in case.said if route == other}
    if all(reply in SILENT for reply in case.says[case.first_route].values()):
        assert list(found.subgoals) == [gid for gid in goals if case.says[other][gid] == "read"]


def check_no_route(case: Case, goals: list[str]) -> None:
    """Assert that the walk failed rightly: no route was left, and there was no refusal that would say more."""
    replies = Counter(case.best().values())
    is_left = case.setting == AUTO or case.routes_that_said("read") - {case.setting}
    assert "names the route" in {reply for _, _, reply in case.said} or (case.setting != AUTO and is_left)
    if len(goals) <= PROBES:
        # More goals are asked together, and requests under way when no route is left are not waited for.
        assert replies["read"] or not replies["refused"]


@pytest.mark.hypothesis
@pytest.mark.fault("B30", "B31", "B33")
def test_any_mixture_of_refusals_ends_as_the_table_says_and_loses_no_list_that_could_be_read() -> None:
    world = family_world(GOALS, 1)
    goals = parents_of(world)
    ends: Counter[str] = Counter()
    clock = FakeClock()
    tokens = cycle(TOKENS)
    with serve(world, routes="both", more_tokens=TOKENS) as asana:

        @usual
        @given(case=cases(goals))
        def walk_and_judge(case: Case) -> None:
            case.token = next(tokens)
            asana.faults = case
            walked = list(case.says[SUBGOALS])
            client = AsanaClient(asana.base_url, case.token, clock=clock, requests_per_minute=100_000)
            try:
                found = walk_subgoals(client, walked, FIELDS, route=case.setting, last_route=case.last_route)
            except AsanaContractError:
                check_no_route(case, walked)
                ends["no route"] += 1
                return
            finally:
                client.close()
            end = judged(case, found)
            ends[end] += 1
            if end == "no access" and case.routes_that_said("names the route"):
                # If no route was left, it lacks the requests that were under way.
                assert case.routes_that_said("refused")
                return
            check_walk(case, found, walked)
            assert end == expected(case)
            if end in ("goes on", "access lost"):
                check_sync_that_goes_on(case, found, walked)

        walk_and_judge()
    assert EXAMPLES < 2_000 or len(ends) == 5, f"some end was not among the examples: {ends}"
