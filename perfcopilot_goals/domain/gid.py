"""What Asana's ids look like, and where a browser finds what they name."""

import re
from typing import TypeGuard

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
