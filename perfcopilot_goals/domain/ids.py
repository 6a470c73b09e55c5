"""What Asana's ids look like, where a browser finds what they name, and how ids are listed for people."""

import re
from collections.abc import Sequence
from typing import TypeGuard

IDS_SHOWN = 10


def show_ids(ids: Sequence[str], count: int | None = None) -> str:
    """The first ten ids, and `… and N more` if there are more. `count` is how many there are, if not all are given."""
    count = len(ids) if count is None else count
    more = [f"… and {count - IDS_SHOWN:,} more"] if ids and count > IDS_SHOWN else []
    return ", ".join([*ids[:IDS_SHOWN], *more])


# Not `^[0-9]+$` or `\d`: `$` also matches before a trailing newline, and `\d` matches any script's digits.
GID_PATTERN = r"\A[0-9]+\Z"


def is_gid(value: object) -> TypeGuard[str]:
    """Whether it is a string of ASCII digits."""
    return isinstance(value, str) and re.match(GID_PATTERN, value) is not None


def goal_permalink(gid: str) -> str:
    """Where a browser finds the goal, a sub-goal too.

    Asana does not document `permalink_url` of a goal. This is the address that it has there, without the workspace.
    """
    return f"https://app.asana.com/0/goal/{gid}"
