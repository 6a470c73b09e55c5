"""What an answer that is not a good one amounts to: a no that depends on what was asked, or a problem that may pass.

How often a problem is retried is `client`'s business; what a no means is told where the question was asked.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from perfcopilot_goals.asana.http import BrokenResponse, Response
from perfcopilot_goals.errors import AsanaContractError

# What a Retry-After says is only compared and added up; more than this is past any deadline.
LONGEST_RETRY_AFTER = 10.0**12


class Refused(Exception):
    """Asana understood the request and said no; what that means depends on what was asked."""

    def __init__(self, status: int, says: Collection[str]) -> None:
        super().__init__(status)
        self.status = status
        self._says = says

    @property
    def is_unknown_route(self) -> bool:
        """The path itself is unknown, as opposed to what it names."""
        return self.status == 404 and any("no matching route" in text.lower() for text in self._says)

    @property
    def is_expired_offset(self) -> bool:
        return self.status == 400 and any("token has expired" in text.lower() for text in self._says)

    @property
    def is_about_workspace(self) -> bool:
        return any(text.lower().startswith("workspace:") for text in self._says)

    @property
    def is_about_goal(self) -> bool:
        """Asana names the goal's parameter, `goal:` or `supported_goal:`; whoever does that knows the route."""
        return any(re.match("(supported_)?goal:", text.lower()) for text in self._says)


@dataclass(frozen=True)
class Problem:
    """What kept an answer from coming that a retry may bring, and the seconds that Asana asked to wait.

    `action` is what may help if no retry does.
    """

    what: str
    asked_wait: float | None = None
    is_throttled: bool = False
    is_contract: bool = False
    action: str | None = None


def problem_of(answer: Response) -> Problem | None:
    """What a status says that is over with time; None for one that a retry would only repeat."""
    asked_wait = parse_retry_after(answer.headers)
    if answer.status == 429:
        return Problem("429, over the token's rate limit", asked_wait, is_throttled=True)
    if answer.status >= 500 or answer.status == 408:
        return Problem(f"status {answer.status}", asked_wait)
    return None


def refusal_of(path: str, answer: Response) -> Refused | AsanaContractError:
    """What to raise for a status that is neither good nor over with time."""
    if answer.status in (400, 401, 402, 403, 404, 451):
        return Refused(answer.status, _error_messages(answer))
    kind = "a redirect, which is not followed" if 300 <= answer.status < 400 else "not agreed"
    return AsanaContractError(
        f"GET {path}: status {answer.status} is {kind}; nothing was written", action="Check the connection's base URL"
    )


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After of whole seconds; anything else is treated as absent."""
    value = headers.get("retry-after", "").strip()
    return min(float(value), LONGEST_RETRY_AFTER) if re.fullmatch("[0-9]+", value) else None


def _error_messages(answer: Response) -> list[str]:
    """Asana's own words, to tell two kinds of 404 or 400 apart; they are never shown."""
    try:
        return [str(error["message"])[:200] for error in answer.decode()["errors"]]
    except (AsanaContractError, BrokenResponse, LookupError, TypeError):
        return []
