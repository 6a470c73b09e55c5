"""The walk: the sub-goals of every owned goal, many requests in flight, by the route that Asana answers.

Two routes are known. `/goals/{gid}/subgoals` is on the product's page and was documented until 2022;
`/goal_relationships` is what Asana documents today. A route that is gone answers 404, and so does a goal that was
deleted meanwhile; taking the one for the other would lose every key result in silence. So the first goals are asked one
by one until a route has answered, and a 404 counts against the goal only where the other route shares it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient, Refused
from perfcopilot_goals.asana.listing import fetch_list
from perfcopilot_goals.asana.transport import IN_FLIGHT
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError

SUBGOALS, GOAL_RELATIONSHIPS, AUTO = "subgoals", "goal_relationships", "auto"

Subgoals = list[dict[str, Any]]


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
    are done. A list that answers 403 or 404 leaves its goal unread; one that cannot be read after retries fails all.
    """
    client.expect(len(goal_gids))
    return _Walker(client, fields, route, last_route, on_goal).run(list(goal_gids))


class _Walker:
    def __init__(
        self,
        client: AsanaClient,
        fields: Sequence[str],
        route: str,
        last_route: str | None,
        on_goal: Callable[[int], None],
    ) -> None:
        self.client = client
        self.fields = fields
        self.is_fixed = route != AUTO
        self.route = route if self.is_fixed else (last_route or SUBGOALS)
        self.on_goal = on_goal
        self.walk = Walk(None)

    def run(self, goal_gids: Sequence[str]) -> Walk:
        left = iter(goal_gids)
        other_was_asked = self._find_route(left)
        self._walk_together(list(left))
        missing = [gid for gid, status in self.walk.unread.items() if status == 404]
        if missing and not other_was_asked:
            self._confirm_missing(missing)
        self._check_access()
        read = self.walk.subgoals
        self.walk.subgoals = {gid: read[gid] for gid in goal_gids if gid in read}
        self.walk.route = self.route if goal_gids else None
        return self.walk

    def _find_route(self, left: Iterator[str]) -> bool:
        """Ask goal by goal until a route is known to be there. Returns whether the other route was asked too."""
        other_was_asked = False
        for gid in left:
            try:
                self._keep(gid, self._fetch(gid, self.route))
                break
            except Refused as refused:
                self._note_unread(gid, refused)
                if refused.status != 404:
                    continue
                other_was_asked = True
                is_known = self._ask_other_route(gid, refused)
                if is_known:
                    break
        return other_was_asked

    def _ask_other_route(self, gid: str, refused: Refused) -> bool:
        """After a 404: go over to the other route if it answers. Returns whether a route is now known to be there."""
        try:
            subgoals = self._fetch(gid, _other(self.route))
        except Refused as other_refused:
            if refused.is_unknown_route and other_refused.is_unknown_route:
                raise AsanaContractError(
                    f"neither sub-goal route exists ({SUBGOALS}, {GOAL_RELATIONSHIPS}); nothing was written. "
                    "Check the connection's base URL"
                ) from None
            self._note_unread(gid, other_refused)
            if refused.is_unknown_route:
                self._go_over()
            return refused.is_unknown_route or other_refused.is_unknown_route
        self._go_over()
        self._keep(gid, subgoals)
        return True

    def _confirm_missing(self, missing: Sequence[str]) -> None:
        """One of the goals that answered 404 is asked by the other route; if that has it, it has to have them all."""
        *others, gid = missing
        try:
            subgoals = self._fetch(gid, _other(self.route))
        except Refused as refused:
            self._note_unread(gid, refused)
            return
        self._go_over()
        self._keep(gid, subgoals)
        self._walk_together(others)

    def _go_over(self) -> None:
        other = _other(self.route)
        if self.is_fixed:
            raise AsanaContractError(
                f"the sub-goal route {self.route} is gone and {other} answers; nothing was written. "
                f"Let it be found: perfcopilot-goals connection set NAME --subgoal-route auto"
            )
        self.route = other

    def _walk_together(self, goal_gids: Sequence[str]) -> None:
        if not goal_gids:
            return
        with ThreadPoolExecutor(min(IN_FLIGHT, len(goal_gids)), thread_name_prefix="asana") as workers:
            asked = {workers.submit(self._fetch, gid, self.route): gid for gid in goal_gids}
            try:
                for done in as_completed(asked):
                    try:
                        self._keep(asked[done], done.result())
                    except Refused as refused:
                        if refused.is_unknown_route:
                            raise AsanaContractError(
                                f"the sub-goal route {self.route} went away; nothing was written"
                            ) from None
                        self._note_unread(asked[done], refused)
            except BaseException:
                # Also on Ctrl-C: workers that wait for the pace or a back-off would otherwise keep the process.
                self.client.stop.set()
                workers.shutdown(wait=False, cancel_futures=True)
                raise

    def _fetch(self, gid: str, route: str) -> Subgoals:
        if route == SUBGOALS:
            params = {"opt_fields": ",".join(self.fields)}
            return fetch_list(self.client, f"/goals/{gid}/subgoals", params, paged=False)
        fields = ["resource_subtype", *(f"supporting_resource.{name}" for name in self.fields)]
        params = {"supported_goal": gid, "resource_subtype": "subgoal", "opt_fields": ",".join(fields)}
        return [self._unwrap(relation) for relation in fetch_list(self.client, "/goal_relationships", params)]

    def _keep(self, gid: str, subgoals: Subgoals) -> None:
        visible = [subgoal for subgoal in subgoals if subgoal]
        self.walk.hidden += len(subgoals) - len(visible)
        self.walk.subgoals[gid] = visible
        self.walk.unread.pop(gid, None)
        self.on_goal(len(self.walk.subgoals) + len(self.walk.unread))

    def _note_unread(self, gid: str, refused: Refused) -> None:
        """403 and 404 are about the goal; anything else is about the token or the request, and ends the walk."""
        if refused.status == 400:
            raise AsanaContractError(f"the sub-goals of goal {gid} answered 400; nothing was written") from None
        if refused.status not in (403, 404):
            raise AsanaAccessError(
                f"the sub-goals of goal {gid} answered {refused.status}: Asana no longer accepts the token or "
                "its plan; nothing was written. Check the token where token_ref points to"
            ) from None
        self.walk.unread[gid] = refused.status
        self.on_goal(len(self.walk.subgoals) + len(self.walk.unread))

    def _check_access(self) -> None:
        """One goal's 403 is that goal's; a 403 for every one of several means that the token may not read sub-goals."""
        statuses = list(self.walk.unread.values())
        if len(statuses) > 1 and set(statuses) == {403} and not self.walk.subgoals:
            raise AsanaAccessError(
                f"all {len(statuses)} sub-goal lists answered 403: the token may not read sub-goals; nothing was "
                "written. Use a token with full access, such as a service account's"
            )

    @staticmethod
    def _unwrap(relation: dict[str, Any]) -> dict[str, Any]:
        """The sub-goal of a relationship; {} for one that is there but not shown to this token."""
        subgoal = relation.get("supporting_resource", "missing")
        if not isinstance(subgoal, dict | None):
            raise AsanaContractError("a goal relationship came without its supporting_resource; nothing was written")
        return subgoal or {}


def _other(route: str) -> str:
    return GOAL_RELATIONSHIPS if route == SUBGOALS else SUBGOALS
