"""Why a goal's list of sub-goals may not have been read."""

from enum import IntEnum


class Unread(IntEnum):
    """Why a list was not read. The greater the value, the more the response says about the goal."""

    # A 404 that does not name the goal. A route that is gone sends it too.
    NOT_FOUND = 1
    # A 404 that names the goal. Only a route that exists does that.
    GOAL_UNKNOWN = 2
    # A 403: the goal exists, but the token's user may not read its sub-goals.
    FORBIDDEN = 3
