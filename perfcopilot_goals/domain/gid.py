"""What Asana's ids look like."""

import re
from typing import TypeGuard

# Not `^[0-9]+$` or `\d`: `$` also matches before a trailing newline, and `\d` matches any script's digits.
GID_PATTERN = r"\A[0-9]+\Z"


def is_gid(value: object) -> TypeGuard[str]:
    """Whether it is a string of ASCII digits."""
    return isinstance(value, str) and re.match(GID_PATTERN, value) is not None
