"""A request as it came in, and what goes back: a whole `Response`, or `Raw` bytes and pauses for a broken one.

Add here only what the wire needs. `api` decides what a response says, and a `Fault` what goes wrong with it. The tests
have many faults; the one that `sandbox --fault-percent` makes is at the end.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from http.client import responses
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

Json: TypeAlias = dict[str, Any]

API_PREFIX = "/api/1.0"
JSON_TYPE = "application/json; charset=UTF-8"
HELP = (
    "For more information on API status codes and how to handle them, "
    "read the docs on errors: https://developers.asana.com/docs/errors"
)


@dataclass(eq=False)
class Request:
    """One call. `number` counts from 1 over all calls. If a parameter was sent twice, its last value counts.

    `target` is path and query below /api/1.0. For a path outside of it, it begins with `/..`. `in_flight` counts the
    calls of its token that were under way when it came, itself included. `status` is the response's: None until that is
    decided, and for ever if the line is just closed.
    """

    number: int
    method: str
    target: str
    headers: Message
    token: str = field(default="", repr=False)
    in_flight: int = 1
    status: int | None = None

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The parameters. An empty value is kept: `offset=` is not the same as no offset."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def next_page(self, offset: str) -> Json:
        """The `next_page` that leads from this request's page to the one at `offset`."""
        path = f"{self.path}?{urlencode({**self.query, 'offset': offset})}"
        return {"offset": offset, "path": path, "uri": f"http://{self.headers['Host']}{API_PREFIX}{path}"}


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response, sent `delay_seconds` after the request came in."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})
    delay_seconds: float = 0.0

    def with_header(self, name: str, value: str) -> "Response":
        return replace(self, headers={**self.headers, name: value})

    def after(self, seconds: float) -> "Response":
        return replace(self, delay_seconds=seconds)

    def head(self, framing: str | None = None) -> bytes:
        """Status line and headers. `framing` replaces the true Content-Length line."""
        lines = [
            f"HTTP/1.1 {self.status} {responses.get(self.status, '')}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
            framing or f"Content-Length: {len(self.body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def encode(self) -> bytes:
        return self.head() + self.body


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes to write and seconds to pause, in order. Then the line is closed, or reset.

    `status` is the one that is counted; None if no status line is sent.
    """

    status: int | None
    steps: Iterable[bytes | float]
    is_reset: bool = False


# Returns what goes out in place of the regular response, or the regular one if nothing goes wrong.
Fault: TypeAlias = Callable[[Request, Response], Response | Raw]


def encode_json(value: object) -> bytes:
    """JSON in UTF-8, as Asana sends it. UTF-8 cannot hold a lone surrogate, so that stays a `\\udXXX` escape."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def json_response(body: object) -> Response:
    """A 200 with this body."""
    return Response(200, encode_json(body))


def error_response(status: int, message: str) -> Response:
    """Asana's error envelope, with a help text on 4xx and a phrase to quote to its support on 5xx."""
    detail = {"phrase": "6 sad squid snuggle softly"} if status >= 500 else {"help": HELP}
    return Response(status, encode_json({"errors": [{"message": message, **detail}]}))


def now_and_then(share: float) -> Fault:
    """This share of all calls fails, with a 503 or with a body cut in half. By number, it is always the same calls."""

    def trouble(request: Request, response: Response) -> Response | Raw:
        # Only calls that would succeed can fail here: a 429 stays a 429.
        if response.status != 200 or random.Random(request.number).random() >= share:
            return response
        if request.number % 2:
            return Raw(response.status, [response.head() + response.body[: len(response.body) // 2]])
        return error_response(503, "Something went wrong")

    return trouble
