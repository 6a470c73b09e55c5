"""What an id of Asana's looks like."""

import re
from typing import TypeGuard

# `$` also matches before a trailing newline, and `\d` any script's digits; an Asana gid has neither.
GID_PATTERN = r"\A[0-9]+\Z"


def is_gid(value: object) -> TypeGuard[str]:
    """Whether it is a string of ASCII digits."""
    return isinstance(value, str) and re.match(GID_PATTERN, value) is not None
