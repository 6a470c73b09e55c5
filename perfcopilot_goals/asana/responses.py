"""What a response other than 200 means: a refusal, a problem that may pass, or a broken contract.

`client` decides how often a problem is retried. The caller that made the request decides what a refusal means.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from perfcopilot_goals.asana.http import BrokenResponse, Response
from perfcopilot_goals.errors import AsanaContractError

# Longer than any deadline. A Retry-After is capped here, since it is only compared and added up.
LONGEST_RETRY_AFTER = 10.0**12


class Refused(Exception):
    """Asana understood the request and said no. What that means depends on the request."""

    def __init__(self, status: int, messages: Collection[str]) -> None:
        super().__init__(status)
        self.status = status
        self._messages = messages

    @property
    def is_unknown_route(self) -> bool:
        """Asana does not know the path itself, as opposed to the object that it names."""
        return self.status == 404 and any("no matching route" in text.lower() for text in self._messages)

    @property
    def is_expired_offset(self) -> bool:
        return self.status == 400 and any("token has expired" in text.lower() for text in self._messages)

    @property
    def is_about_workspace(self) -> bool:
        return any(text.lower().startswith("workspace:") for text in self._messages)

    @property
    def is_about_goal(self) -> bool:
        """Asana names the goal's parameter, `goal:` or `supported_goal:`. Only a route that exists does that."""
        return any(re.match("(supported_)?goal:", text.lower()) for text in self._messages)


@dataclass(frozen=True)
class Problem:
    """Why no good response came, where a retry may bring one.

    `asked_wait` is how many seconds Asana asked to wait. `action` is what may help if no retry does. `status` is None
    if no response came.
    """

    what: str
    asked_wait: float | None = None
    is_throttled: bool = False
    is_contract: bool = False
    action: str | None = None
    status: int | None = None


def problem_of(response: Response) -> Problem | None:
    """The problem if the status is one that may pass; None if a retry would only repeat it."""
    asked_wait = parse_retry_after(response.headers)
    if response.status == 429:
        return Problem("429, over the token's rate limit", asked_wait, is_throttled=True, status=429)
    if response.status >= 500 or response.status == 408:
        return Problem(f"status {response.status}", asked_wait, status=response.status)
    return None


def refusal_of(path: str, response: Response) -> Refused | AsanaContractError:
    """What to raise for a status that is neither 200 nor a problem that may pass."""
    if response.status in (400, 401, 402, 403, 404, 451):
        return Refused(response.status, _error_messages(response))
    kind = "a redirect, which is not followed" if 300 <= response.status < 400 else "not agreed"
    return AsanaContractError(
        f"GET {path}: status {response.status} is {kind}; nothing was written", action="Check the connection's base URL"
    )


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After that is a whole number. Anything else counts as absent."""
    value = headers.get("retry-after", "").strip()
    return min(float(value), LONGEST_RETRY_AFTER) if re.fullmatch("[0-9]+", value) else None


def _error_messages(response: Response) -> list[str]:
    """Asana's own words. They tell two kinds of 404 or 400 apart, and are never shown."""
    try:
        return [str(error["message"])[:200] for error in response.decode()["errors"]]
    except (AsanaContractError, BrokenResponse, LookupError, TypeError):
        return []
