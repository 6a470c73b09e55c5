"""The walk: the sub-goals of every owned goal, many requests in flight, by the route that Asana answers.

Two routes are known. `/goals/{gid}/subgoals` is on the product's page and was documented until 2022;
`/goal_relationships` is what Asana documents today. A route that is gone answers 404, and so does a goal that was
deleted meanwhile; taking the one for the other would lose every key result in silence. So the first goals are asked one
by one until a route has answered, and a 404 counts against the goal only where the other route shares it, which one
goal is asked for all.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from queue import SimpleQueue

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.http import IN_FLIGHT
from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.asana.routes import (
    AUTO,
    RouteInUse,
    Subgoals,
    fetch_subgoals,
    refusal_of_all,
)
from perfcopilot_goals.errors import AsanaUnavailableError

# Goals asked one by one before all others are asked together, whatever these answered.
PROBES = 5
# Goals handed to the workers: enough that none waits for the next, and not all, as each costs a kilobyte.
LINED_UP = 2 * IN_FLIGHT
# Goals that an error names before it only counts the rest.
NAMED = 10


@dataclass
class Walk:
    """What the walk brought: sub-goals by goal, goals whose list was not read with their status, and by which route.

    `hidden` counts sub-goals that Asana lists without showing them to this token.
    """

    route: str | None
    subgoals: dict[str, Subgoals] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    hidden: int = 0


def walk_subgoals(
    client: AsanaClient,
    goal_gids: Sequence[str],
    fields: Sequence[str],
    *,
    route: str = AUTO,
    last_route: str | None = None,
    on_goal: Callable[[int], None] = lambda _: None,
) -> Walk:
    """The sub-goals of these goals, in one request each (more only for over 100 sub-goals, and one to find the route).

    `route` is the connection's setting, `last_route` what its last complete sync used. `on_goal` hears how many goals
    are done. A list that answers 403 or 404 leaves its goal unread. One that cannot be read after retries fails all,
    but only after the others were asked, so that the error names each; when retries or time run out it fails at once.
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
    other_was_asked: bool = False
    # Whether a 404 named its goal, as only a route that is there does.
    goal_was_named: bool = False
    # Goals whose list could not be read, with why.
    failed: dict[str, AsanaUnavailableError] = field(default_factory=dict)

    def run(self, goal_gids: Sequence[str]) -> Walk:
        left = deque(goal_gids)
        self._find_route(left)
        self._walk_together(list(left))
        if self.failed:
            raise self._failure()
        self._confirm_missing()
        read = self.walk.subgoals
        error = None if read else refusal_of_all(list(self.walk.unread.values()), self.goal_was_named)
        if error is not None:
            raise error
        self.walk.subgoals = {gid: read[gid] for gid in goal_gids if gid in read}
        self.walk.route = self.route.name if goal_gids else None
        return self.walk

    def _find_route(self, left: deque[str]) -> None:
        """Ask goal by goal until one was read: a route that is gone is to cost one request, not one for each goal."""
        for _ in range(min(PROBES, len(left))):
            gid = left.popleft()
            status = self._settle(gid, partial(self._read, gid))
            is_in_doubt = status == 404 and not self.other_was_asked and not self.route.other_is_gone
            if status == 200 or (is_in_doubt and self._other_route_has(gid)):
                return

    def _walk_together(self, goal_gids: Sequence[str]) -> None:
        if not goal_gids:
            return
        was_stopped = False
        left = iter(goal_gids)
        asked: dict[Future[Subgoals], str] = {}
        finished: SimpleQueue[Future[Subgoals]] = SimpleQueue()
        with ThreadPoolExecutor(min(IN_FLIGHT, len(goal_gids)), thread_name_prefix="asana") as workers:

            def ask(how_many: int) -> None:
                for gid in islice(left, how_many):
                    future = workers.submit(self._read_or_stop, gid)
                    asked[future] = gid
                    future.add_done_callback(finished.put)

            try:
                ask(LINED_UP)
                while asked:
                    done = finished.get()
                    try:
                        self._settle(asked.pop(done), done.result)
                    except Stopped:
                        was_stopped = True  # by the worker that failed, whose error is among those to come
                    ask(1)
            except BaseException:
                # Also on Ctrl-C: workers that wait for the pace, a back-off or an answer would keep the process.
                self.client.stop.set()
                workers.shutdown(wait=False, cancel_futures=True)
                raise
        if was_stopped:
            raise Stopped

    def _read_or_stop(self, gid: str) -> Subgoals:
        """As `_read`; what fails all stops the other workers, so that nothing is sent after it."""
        try:
            return self._read(gid)
        except Refused:
            raise
        except BaseException as error:
            if not isinstance(error, AsanaUnavailableError) or not self.client.may_go_on():
                self.client.stop.set()
            raise

    def _confirm_missing(self) -> None:
        """One of the goals that answered 404 is asked by the other route; if that has it, it has to have them all.

        Once is enough if a goal was read or named, because then the route is there; else a second goal has to share it.
        """
        *others, gid = [gid for gid, status in self.walk.unread.items() if status == 404] or [""]
        is_there = self.walk.subgoals or self.goal_was_named or not others
        is_sure = self.route.other_is_gone or (self.other_was_asked and is_there)
        if gid and not is_sure and self._other_route_has(gid):
            self._walk_together(others)

    def _read(self, gid: str) -> Subgoals:
        """By the route in use, and over to the other as soon as Asana says that this one does not exist."""
        while True:
            route = self.route.name
            try:
                return fetch_subgoals(self.client, gid, self.fields, route)
            except Refused as refused:
                if not refused.is_unknown_route:
                    raise
            self.route.leave(route)

    def _other_route_has(self, gid: str) -> bool:
        """After a 404: whether the other route answers; it is the one in use then, because this one is gone."""
        self.other_was_asked = True
        try:
            subgoals = fetch_subgoals(self.client, gid, self.fields, self.route.other)
        except Refused as refused:
            self._note_unread(gid, refused)
            return False
        self.route.leave(self.route.name)
        self._keep(gid, subgoals)
        return True

    def _settle(self, gid: str, read: Callable[[], Subgoals]) -> int:
        """Keep what is read, or note that it was refused or failed. Returns the status, 0 where none came."""
        try:
            self._keep(gid, read())
        except Refused as refused:
            self._note_unread(gid, refused)
            self.goal_was_named |= refused.is_about_goal
            return refused.status
        except AsanaUnavailableError as error:
            self.failed[gid] = error
            if not self.client.may_go_on():
                raise self._failure() from None
            return 0
        return 200

    def _failure(self) -> AsanaUnavailableError:
        """What kept the first of the failed lists from being read, and of which goals they are."""
        goals = f"goal{'s' if len(self.failed) > 1 else ''} {', '.join(sorted(self.failed)[:NAMED])}"
        more = f" and {len(self.failed) - NAMED} more" if len(self.failed) > NAMED else ""
        why = next(iter(self.failed.values())).message
        return AsanaUnavailableError(f"the sub-goals of {goals}{more} could not be read; {why}")

    def _keep(self, gid: str, subgoals: Subgoals) -> None:
        visible = [subgoal for subgoal in subgoals if subgoal]
        self.walk.hidden += len(subgoals) - len(visible)
        self.walk.subgoals[gid] = visible
        self.walk.unread.pop(gid, None)
        self.on_goal(len(self.walk.subgoals) + len(self.walk.unread))

    def _note_unread(self, gid: str, refused: Refused) -> None:
        self.walk.unread[gid] = refused.status
        self.on_goal(len(self.walk.subgoals) + len(self.walk.unread))
