"""Asana's routes and pages: a request goes in, the body of the response or a refusal comes out.

Add a route here when the product starts to use it. Every other path and method gets 404 `No matching route`, as from
Asana. Nothing here knows about sockets and tokens (`server`) or limits on calls (`traffic`).
"""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Literal, TypeAlias, TypeVar

from perfcopilot_goals.sandbox import records
from perfcopilot_goals.sandbox.exchange import Json, Request
from perfcopilot_goals.sandbox.records import Selection, parse, select
from perfcopilot_goals.sandbox.world import Goal, Person, World

Routes: TypeAlias = Literal["both", "goal_relationships", "subgoals"]

RELATIONSHIP_SUBTYPES = {None, "subgoal", "supporting_work"}
LIFETIME_SECONDS = 900
LARGEST_PAGE = 100
# Asana sends a list without a limit up to about this size, and refuses a longer one.
LARGEST_UNPAGED = 1000
TOO_LARGE = "The result is too large. You should use pagination (may require specifying a workspace)!"

Row = TypeVar("Row", Goal, Person, World)


@dataclass(eq=False)
class Refusal(Exception):
    """A response that is an error: its status and Asana's message."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an offset of the list that was `asked` for leads: behind row number `position`, which was `border`."""

    asked: tuple[str, Mapping[str, str]]
    position: int
    border: str
    expires_at: float


class Pager:
    """Cuts lists into pages. `clock` gives seconds since the epoch.

    As in Asana, an offset lasts 900 seconds and is bound to its query. It remembers the last row that was served, not
    only a number: a goal deleted between two pages must not make its neighbour vanish.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._places: dict[str, _Place] = {}

    def cut(self, request: Request, rows: Sequence[Row]) -> tuple[Sequence[Row], Json]:
        """The rows of the requested page, and `{"next_page": …}`, or `{}` if no limit was sent."""
        limit = self._limit(request)
        start = self._start(request, rows)
        if limit is None:
            if len(rows) - start > LARGEST_UNPAGED:
                raise Refusal(400, TOO_LARGE)
            return rows[start:], {}
        end = start + limit
        if end >= len(rows):
            return rows[start:], {"next_page": None}
        offset = secrets.token_urlsafe(32)
        expires_at = self._clock() + LIFETIME_SECONDS
        self._places[offset] = _Place(_without_offset(request), end, rows[end - 1].gid, expires_at)
        return rows[start:end], {"next_page": request.next_page(offset)}

    def _limit(self, request: Request) -> int | None:
        text = request.query.get("limit")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
            raise Refusal(400, f"limit: Must be between 1 and {LARGEST_PAGE}")
        return int(text)

    def _start(self, request: Request, rows: Sequence[Row]) -> int:
        offset = request.query.get("offset")
        if offset is None:
            return 0
        place = self._places.get(offset)
        if place is None or place.asked != _without_offset(request):
            raise Refusal(400, "offset: Your pagination token is invalid.")
        if place.expires_at < self._clock():
            raise Refusal(400, "offset: Your pagination token has expired.")
        if place.position <= len(rows) and rows[place.position - 1].gid == place.border:
            return place.position
        gids = [row.gid for row in rows]
        return gids.index(place.border) + 1 if place.border in gids else place.position - 1


def _without_offset(request: Request) -> tuple[str, dict[str, str]]:
    return request.path, {name: value for name, value in request.query.items() if name != "offset"}


@dataclass(slots=True)
class Api:
    """The routes over these worlds. `routes` says which ways to the sub-goals exist.

    All fields may be changed between two requests.
    """

    worlds: tuple[World, ...]
    pager: Pager
    routes: Routes = "goal_relationships"
    # In Asana's documentation of 2021-22, /subgoals had neither limit nor offset. True: it pages if a limit is sent.
    subgoals_paged: bool = False

    def answer(self, request: Request) -> Json:
        """The body of the response; raises `Refusal` for everything that is not a 200."""
        if request.method == "GET":
            match request.path.split("/")[1:]:
                case ["users", "me"]:
                    me = next(iter(self.worlds[0].people.values()))
                    return _one(request, records.user_record(me, self.worlds), records.USER_FULL)
                case ["users"]:
                    world = self._world(request.query.get("workspace"))
                    people = sorted(world.people.values(), key=attrgetter("gid"))
                    return self._list(request, people, lambda one: records.user_record(one, [world]), records.NAMED)
                case ["workspaces"]:
                    return self._list(request, self.worlds, records.workspace_record, records.NAMED)
                case ["workspaces", gid]:
                    return _one(request, records.workspace_record(self._world(gid)), records.NAMED)
                case ["goals"]:
                    world = self._world(request.query.get("workspace"))
                    return self._goals(request, world, world.visible())
                case ["goals", gid]:
                    world, goal = self._goal(gid, "goal")
                    return _one(request, records.goal_record(world, goal), records.GOAL_FULL)
                case ["goals", gid, "subgoals"] if self.routes != "goal_relationships":
                    world, goal = self._goal(gid, "goal")
                    children = world.visible(world.subgoals.get(goal.gid, ()))
                    return self._goals(request, world, children, is_paged=self.subgoals_paged)
                case ["goal_relationships"] if self.routes != "subgoals":
                    return self._relationships(request)
        raise Refusal(404, "No matching route for request")

    def _relationships(self, request: Request) -> Json:
        gid = request.query.get("supported_goal")
        if not gid:
            raise Refusal(400, "supported_goal: Missing input")
        # An unknown subtype must not read as "no sub-goals".
        if (subtype := request.query.get("resource_subtype")) not in RELATIONSHIP_SUBTYPES:
            raise Refusal(400, f"resource_subtype: Not a recognized value: {subtype}")
        world, parent = self._goal(gid, "supported_goal", malformed_status=400)
        children = [] if subtype == "supporting_work" else world.visible(world.subgoals.get(gid, ()))
        record = partial(records.relationship_record, world, parent)
        return self._list(request, children, record, records.RELATIONSHIP_COMPACT)

    def _goals(self, request: Request, world: World, goals: list[Goal], *, is_paged: bool = True) -> Json:
        record = partial(records.goal_record, world)
        return self._list(request, goals, record, records.GOAL_COMPACT, is_paged=is_paged)

    def _list(
        self,
        request: Request,
        rows: Sequence[Row],
        record: Callable[[Row], Json],
        compact: Selection,
        *,
        is_paged: bool = True,
    ) -> Json:
        page, following = self.pager.cut(request, rows) if is_paged else (rows, {})
        return {"data": _selected(request, map(record, page), compact), **following}

    def _world(self, gid: str | None) -> World:
        if not gid:
            raise Refusal(400, "workspace: Missing input")
        if not _is_gid(gid):
            raise Refusal(400, f"workspace: Not a recognized ID: {gid}")
        for world in self.worlds:
            if world.workspace_gid == gid:
                return world
        raise Refusal(404, f"workspace: Unknown object: {gid}")

    def _goal(self, gid: str, parameter: str, malformed_status: int = 404) -> tuple[World, Goal]:
        if not _is_gid(gid):
            raise Refusal(malformed_status, f"{parameter}: Not a recognized ID: {gid}")
        for world in self.worlds:
            goal = world.goals.get(gid)
            if goal is not None and gid in world.hidden:
                raise Refusal(403, f"You do not have access to this {parameter}.")
            if goal is not None:
                return world, goal
        raise Refusal(404, f"{parameter}: Unknown object: {gid}")


def _is_gid(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _one(request: Request, record: Json, full: Selection) -> Json:
    return {"data": _selected(request, [record], full)[0]}


def _selected(request: Request, rows: Iterable[Json], default: Selection) -> list[Json]:
    opt_fields = request.query.get("opt_fields")
    selection = parse(opt_fields) if opt_fields else default
    return [select(row, selection) for row in rows]
