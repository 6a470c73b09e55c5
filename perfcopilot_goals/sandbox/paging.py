"""Pages, and the offsets that lead from one to the next.

As in Asana, an offset lasts 900 seconds and is bound to its query. It remembers the last row that was served, not only
a number: a goal deleted between two pages must not make its neighbour vanish. Limits on calls are in `limits`, what the
rows hold is in `api`.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from perfcopilot_goals.sandbox.exchange import Json, Request

LIFETIME_SECONDS = 900
LARGEST_PAGE = 100
# Asana sends a list without a limit up to about this size, and refuses a longer one.
LARGEST_UNPAGED = 1000


@dataclass(eq=False)
class Refusal(Exception):
    """A response that is an error: its status and Asana's message."""

    status: int
    message: str


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an offset leads: behind row number `position`, which was `border`."""

    path: str
    query: Mapping[str, str]
    position: int
    border: str
    expires_at: float


class Pager:
    """Cuts lists of GIDs into pages. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._places: dict[str, _Place] = {}

    def cut(self, request: Request, gids: Sequence[str]) -> tuple[Sequence[str], Json]:
        """The rows of the requested page, and `{"next_page": …}`, or `{}` if no limit was sent."""
        limit = self._limit(request)
        start = self._start(request, gids)
        if limit is None:
            if len(gids) - start > LARGEST_UNPAGED:
                raise Refusal(
                    400,
                    "The result is too large. You should use pagination (may require specifying a workspace)!",
                )
            return gids[start:], {}
        end = start + limit
        if end >= len(gids):
            return gids[start:], {"next_page": None}
        offset = secrets.token_urlsafe(32)
        expires_at = self._clock() + LIFETIME_SECONDS
        self._places[offset] = _Place(request.path, _without_offset(request), end, gids[end - 1], expires_at)
        return gids[start:end], {"next_page": request.next_page(offset)}

    def _limit(self, request: Request) -> int | None:
        text = request.query.get("limit")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
            raise Refusal(400, f"limit: Must be between 1 and {LARGEST_PAGE}")
        return int(text)

    def _start(self, request: Request, gids: Sequence[str]) -> int:
        offset = request.query.get("offset")
        if offset is None:
            return 0
        place = self._places.get(offset)
        if place is None or (place.path, place.query) != (request.path, _without_offset(request)):
            raise Refusal(400, "offset: Your pagination token is invalid.")
        if place.expires_at < self._clock():
            raise Refusal(400, "offset: Your pagination token has expired.")
        if gids[place.position - 1 : place.position] == [place.border]:
            return place.position
        return gids.index(place.border) + 1 if place.border in gids else place.position - 1


def _without_offset(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query.items() if name != "offset"}
