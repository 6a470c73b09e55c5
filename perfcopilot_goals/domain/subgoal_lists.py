"""How a goal's list of sub-goals may fail to be read."""

from enum import IntEnum


class Unread(IntEnum):
    """Why a list was not read. The greater the value, the more the response says about the goal."""

    NOT_FOUND = 1  # a 404 that does not name the goal; a route that is gone answers so, too
    GOAL_UNKNOWN = 2  # a 404 that names the goal, as only a route that exists does
    FORBIDDEN = 3  # a 403: the goal exists, and the token's user may not read its sub-goals
