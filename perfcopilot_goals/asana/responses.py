"""A whole response, and what one other than 200 means: a refusal, a failure that may pass, or a broken contract.

`client` decides how often a failure is retried. The caller that made the request decides what a refusal means.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from perfcopilot_goals.errors import AsanaContractError

# Longer than any deadline. A Retry-After is capped here, since it is only compared and added up.
LONGEST_RETRY_AFTER = 10.0**12


@dataclass(frozen=True)
class Response:
    """A whole response: its status, its headers by name in any case, and its body, decompressed.

    A header that comes several times is joined with commas, as HTTP allows.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type in lower case; "" if the response names none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def decode(self) -> Any:
        """The body as JSON. Raises `Retryable` if it looks cut, `AsanaContractError` if it is something else."""
        if self.content_type and not self.content_type.endswith("json"):
            raise AsanaContractError(
                f"a response of content-type {self.content_type[:40]!r} came where JSON was agreed"
            )
        try:
            # JSON is UTF-8 whatever a charset header claims.
            return json.loads(self.body.decode("utf-8-sig"))
        except RecursionError:
            raise AsanaContractError("JSON nested too deep to be Asana's") from None
        except ValueError:
            raise Retryable(f"{len(self.body)} bytes that are not whole JSON", is_contract=True) from None


@dataclass(eq=False)
class Retryable(Exception):
    """No good response came, and a retry may bring one. The texts are safe to show.

    `is_contract`: a whole body came which was not JSON. `action` is what may help if no retry does. `status` is None if
    no response came, and `asked_wait` is how many seconds Asana asked to wait.
    """

    what: str
    is_contract: bool = False
    action: str | None = None
    status: int | None = None
    asked_wait: float | None = None

    @property
    def is_throttled(self) -> bool:
        return self.status == 429


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


def error_of(path: str, response: Response) -> Retryable | Refused | AsanaContractError:
    """What to raise for a status other than 200."""
    status = response.status
    if status in (408, 429) or status >= 500:
        what = "429, over the token's rate limit" if status == 429 else f"status {status}"
        return Retryable(what, status=status, asked_wait=parse_retry_after(response.headers))
    if status in (401, 402, 403, 451) and response.content_type == "text/html":
        # Asana refuses in JSON. A page for people is a company proxy's, and says nothing of the token or the goal.
        return AsanaContractError(
            f"GET {path}: status {status} with content-type 'text/html' came from something in between; nothing was "
            "written",
            action="Check the proxy or the connection's base URL",
        ).answered(status)
    if status in (400, 401, 402, 403, 404, 451):
        return Refused(status, _error_messages(response))
    kind = "a redirect, which is not followed" if 300 <= status < 400 else "not agreed"
    return AsanaContractError(
        f"GET {path}: status {status} is {kind}; nothing was written", action="Check the connection's base URL"
    ).answered(status)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After that is a whole number. Anything else counts as absent."""
    value = headers.get("retry-after", "").strip()
    return min(float(value), LONGEST_RETRY_AFTER) if re.fullmatch("[0-9]+", value) else None


def _error_messages(response: Response) -> list[str]:
    """Asana's own words. They tell two kinds of 404 or 400 apart, and are never shown."""
    try:
        return [str(error["message"])[:200] for error in response.decode()["errors"]]
    except (AsanaContractError, Retryable, LookupError, TypeError):
        return []
