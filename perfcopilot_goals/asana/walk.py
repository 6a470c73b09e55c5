"""The walk: the sub-goals of every owned goal, with many requests in flight, by the route that Asana serves.

Two routes are known. `/goals/{gid}/subgoals` is on the product's page and was documented until 2022;
`/goal_relationships` is what Asana documents today. A route that is gone answers 404, and so does a goal that was
deleted meanwhile. Mistaking the first for the second would lose every key result in silence.

So the walk begins goal by goal, until it has read one list. If a goal answers 404, the walk asks the other route about
it. If the other says no more, the goal is at fault. If the other has the list, refuses it, or alone names the goal, the
route in use is gone. One goal settles that for all. Then the walk asks the other route for every list that it has not
read.

`core.goals` decides whether a sync may go on without the lists that were not read.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, TypeVar

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.http import IN_FLIGHT
from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.asana.routes import (
    AUTO,
    GOAL_RELATIONSHIPS,
    SUBGOALS,
    NoRoute,
    RouteInUse,
    Subgoals,
    fetch_subgoals,
)
from perfcopilot_goals.domain.connection import Unread
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.errors import AsanaUnavailableError

# At most this many goals are asked one by one. Then all others are asked together, whatever came back.
PROBES = 5
# Goals handed to the workers at a time: enough to keep each busy, and not all, as each costs a kilobyte.
LINED_UP = 2 * IN_FLIGHT

Value = TypeVar("Value")


class OtherRoute(Enum):
    """What the other route said of a list that answered 404 by the route in use."""

    AGREES = "no more than the route in use: the goal is at fault"
    SAYS_MORE = "it refuses the list, or it alone names the goal"
    HAS_LIST = "it has the list"


@dataclass
class Walk:
    """What the walk brought: the route, the sub-goals by goal, and why a goal's list was not read.

    `hidden` counts, by goal, the sub-goals that Asana lists without showing them to this token. Goals keep the order
    in which they were passed in.
    """

    route: str | None
    subgoals: dict[str, Subgoals] = field(default_factory=dict)
    unread: dict[str, Unread] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)

    def notes(self) -> dict[str, Any]:
        """What the sync log records: the route, and what is missing, as counts and goal gids."""
        return {
            "route": self.route,
            "unread_lists": len(self.unread),
            "unread": list(self.unread),
            "lists_read": len(self.subgoals),
            "refused_403": sum(why is Unread.FORBIDDEN for why in self.unread.values()),
            "refused_404": sum(why is not Unread.FORBIDDEN for why in self.unread.values()),
            "refused": [{"goal_gid": gid, "status": _status(why)} for gid, why in self.unread.items()],
            "subgoals_listed": sum(map(len, self.subgoals.values())),
            "hidden_subgoals": sum(self.hidden.values()),
            # A list: an erasure takes ids out of values, not out of keys.
            "hidden": [{"goal_gid": gid, "count": count} for gid, count in self.hidden.items()],
        }


def walk_subgoals(
    client: AsanaClient,
    goal_gids: Sequence[str],
    fields: Sequence[str],
    *,
    route: str = AUTO,
    last_route: str | None = None,
    on_goal: Callable[[int], None] = lambda _: None,
) -> Walk:
    """The sub-goals of these goals, one request each. Over 100 sub-goals take more, and finding the route takes one.

    `route` is the connection's setting, `last_route` the one that its last complete sync used. `on_goal` gets the
    number of goals done so far.

    A list that answers 403 or 404 leaves its goal unread; the caller decides what that means. A list that cannot be
    read after retries fails the walk. The others are asked first, so that the error names each. When retries or time
    run out, the walk fails at once.

    It fails, too, when no route is left, except after a 403 if no list was read. A 403 says more than a missing route,
    so the walk returns and the caller judges it.
    """
    client.expect(len(goal_gids))
    return _Walker(client, fields, RouteInUse(route, last_route), on_goal).run(goal_gids)


@dataclass
class _Walker:
    client: AsanaClient
    fields: Sequence[str]
    route: RouteInUse
    on_goal: Callable[[int], None]
    walk: Walk = field(default_factory=lambda: Walk(None))
    # What the other route said last; None before it was asked.
    other_said: OtherRoute | None = None
    # Goals that were asked by each route.
    asked: dict[str, set[str]] = field(default_factory=lambda: {SUBGOALS: set(), GOAL_RELATIONSHIPS: set()})
    # Goals whose list could not be read, with the reason.
    failed: dict[str, AsanaUnavailableError] = field(default_factory=dict)

    def run(self, goal_gids: Sequence[str]) -> Walk:
        try:
            self._ask_all(goal_gids)
        except NoRoute as no_route:
            if self.walk.subgoals or Unread.FORBIDDEN not in self.walk.unread.values():
                raise no_route.error from None
        self.walk.subgoals = _in_order(self.walk.subgoals, goal_gids)
        self.walk.unread = _in_order(self.walk.unread, goal_gids)
        self.walk.hidden = _in_order(self.walk.hidden, goal_gids)
        self.walk.route = self.route.answered if goal_gids else None
        return self.walk

    def _ask_all(self, goal_gids: Sequence[str]) -> None:
        left = deque(goal_gids)
        self._find_route(left)
        self._walk_together(list(left), self._read)
        if not self.failed:
            self._confirm_missing()
        if self.failed:
            raise self._failure()

    def _find_route(self, left: deque[str]) -> None:
        """Ask goal by goal until a list was read: a route that is gone should cost one request, not one a goal."""
        for _ in range(min(PROBES, len(left))):
            gid = left.popleft()
            status = self._settle(gid, partial(self._read, gid))
            if status == 404 and self.other_said is None and not self.route.other_is_gone:
                self._ask_other_route(gid)
            if self.walk.subgoals:
                return

    def _walk_together(self, goal_gids: Sequence[str], read: Callable[[str], Subgoals]) -> None:
        if not goal_gids:
            return
        was_stopped, stop = False, self.client.stop
        left = deque(goal_gids)
        asked: dict[Future[Subgoals], str] = {}
        with self.client.workers(min(IN_FLIGHT, len(goal_gids))) as workers:
            while asked or (left and not stop.is_set()):
                while left and len(asked) < LINED_UP and not stop.is_set():
                    gid = left.popleft()
                    asked[workers.submit(self._read_or_stop, read, gid)] = gid
                for done in wait(asked, return_when=FIRST_COMPLETED).done:
                    try:
                        self._settle(asked.pop(done), done.result)
                    except Stopped:
                        was_stopped = True  # by the worker that failed, whose error is among those to come
        if was_stopped:
            # The worker that failed had spent the budget, and another one's first try has lifted it since.
            raise self._failure() if self.failed else Stopped

    def _read_or_stop(self, read: Callable[[str], Subgoals], gid: str) -> Subgoals:
        """As `read`. An error that fails the walk stops the other workers, so that nothing is sent after it."""
        try:
            return read(gid)
        except Refused:
            raise
        except BaseException as error:
            if not isinstance(error, AsanaUnavailableError) or not self.client.may_go_on():
                self.client.stop.set()
            raise

    def _confirm_missing(self) -> None:
        """Find out whether the goals that answered 404 are at fault, or the route; if it is, ask the other.

        What a route said before it proved to be gone is asked again by the other. A fixed route is not left just
        because the other refuses. What the other says of each goal is recorded; only if it has a list is the fixed
        route gone.
        """
        unread = self.walk.unread
        missing = [gid for gid, why in unread.items() if why is not Unread.FORBIDDEN]
        if not self.route.other_is_gone and (not missing or self._are_at_fault(missing)):
            return
        if self.route.is_fixed:
            self._walk_together(missing[:-1], partial(self._read_by, self.route.other))
            if not self.walk.subgoals.keys().isdisjoint(missing):
                self.route.leave(self.route.name)
        else:
            self._walk_together([gid for gid in unread if gid not in self.asked[self.route.name]], self._read)

    def _are_at_fault(self, missing: Sequence[str]) -> bool:
        """Whether the other route has no more to say about these goals, which answered 404.

        It is asked about one of them. One is enough if the route in use read a list or named a goal, because then it
        exists. Otherwise a second goal has to answer 404 by both routes.
        """
        route_exists = self.walk.subgoals or Unread.GOAL_UNKNOWN in self.walk.unread.values()
        if self.other_said is OtherRoute.AGREES and (route_exists or len(missing) == 1):
            return True
        return self._ask_other_route(missing[-1]) is OtherRoute.AGREES

    def _read(self, gid: str) -> Subgoals:
        """Read by the route in use; switch to the other as soon as Asana says that this one does not exist."""
        while True:
            route = self.route.name
            try:
                return self._read_by(route, gid)
            except Refused as refused:
                if not refused.is_unknown_route:
                    raise
            self.route.leave(route)

    def _read_by(self, route: str, gid: str) -> Subgoals:
        self.asked[route].add(gid)
        subgoals = fetch_subgoals(self.client, gid, self.fields, route)
        self.route.has_read.add(route)
        return subgoals

    def _ask_other_route(self, gid: str) -> OtherRoute:
        """Ask the other route for a list that answered 404. If it says more, the route in use is gone and is left.

        A route that the setting fixes is not left if the other only refuses.
        """
        in_use, known = self.route.name, self.walk.unread[gid]
        try:
            self._keep(gid, self._read_by(self.route.other, gid))
            self.other_said = OtherRoute.HAS_LIST
        except Refused as refused:
            self._record_unread(gid, refused)
            self.other_said = OtherRoute.AGREES if self.walk.unread[gid] is known else OtherRoute.SAYS_MORE
        proof = {OtherRoute.HAS_LIST} if self.route.is_fixed else {OtherRoute.HAS_LIST, OtherRoute.SAYS_MORE}
        if self.other_said in proof:
            self.route.leave(in_use)
        return self.other_said

    def _settle(self, gid: str, read: Callable[[], Subgoals]) -> int:
        """Keep the list, or record that it was refused or failed. Returns the status, 0 if none came."""
        try:
            self._keep(gid, read())
        except Refused as refused:
            self._record_unread(gid, refused)
            return refused.status
        except AsanaUnavailableError as error:
            self.failed[gid] = error
            if not self.client.may_go_on():
                raise self._failure() from None
            return 0
        return 200

    def _failure(self) -> AsanaUnavailableError:
        """The error of the first list that failed, with the goals of all of them."""
        goals = f"goal{'s' if len(self.failed) > 1 else ''} {show_ids(sorted(self.failed))}"
        first = next(iter(self.failed.values()))
        return AsanaUnavailableError(
            f"the sub-goals of {goals} could not be read; {first.message}", action=first.action
        ).answered(first.status)

    def _keep(self, gid: str, subgoals: Subgoals) -> None:
        visible = [subgoal for subgoal in subgoals if subgoal]
        if len(visible) < len(subgoals):
            self.walk.hidden[gid] = len(subgoals) - len(visible)
        self.walk.subgoals[gid] = visible
        self.walk.unread.pop(gid, None)
        self.on_goal(len(self.walk.subgoals) + len(self.walk.unread))

    def _record_unread(self, gid: str, refused: Refused) -> None:
        """Record why the list was not read. If both routes were asked, the reason that says more is kept."""
        unknown = Unread.GOAL_UNKNOWN if refused.is_about_goal else Unread.NOT_FOUND
        why = Unread.FORBIDDEN if refused.status == 403 else unknown
        self.walk.unread[gid] = max(why, self.walk.unread.get(gid, why))
        self.on_goal(len(self.walk.subgoals) + len(self.walk.unread))


def _status(why: Unread) -> int:
    return 403 if why is Unread.FORBIDDEN else 404


def _in_order(by_goal: dict[str, Value], goal_gids: Sequence[str]) -> dict[str, Value]:
    return {gid: by_goal[gid] for gid in goal_gids if gid in by_goal}
