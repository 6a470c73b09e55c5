"""Pages, and the tokens that lead from one to the next.

As in Asana, a token is signed, lasts 900 seconds and is bound to its query. It remembers the last row that was served,
not only a number: a goal deleted between two pages must not make its neighbour vanish. Limits on calls are in `limits`,
what the rows hold is in `api`.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence

from perfcopilot_goals.sandbox.exchange import Json, Request

LIFETIME_SECONDS = 900
LARGEST_PAGE = 100
# Asana sends a list without a limit up to about this size, and refuses a longer one.
LARGEST_UNPAGED = 1000


class Refusal(Exception):
    """A response that is an error: its status and Asana's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Pager:
    """Cuts lists of GIDs into pages. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def cut(self, request: Request, gids: Sequence[str]) -> tuple[Sequence[str], Json]:
        """The rows of the requested page, and `{"next_page": …}`, or `{}` if no limit was sent."""
        limit = self._limit(request)
        start = self._start(request, gids)
        if limit is None:
            if len(gids) - start > LARGEST_UNPAGED:
                raise Refusal(
                    400,
                    "The result is too large. You should use pagination (may require specifying a workspace)!",
                )
            return gids[start:], {}
        end = start + limit
        if end >= len(gids):
            return gids[start:], {"next_page": None}
        offset = self._sign({"border_rank": [end, gids[end - 1]], "query": _fingerprint(request)})
        return gids[start:end], {"next_page": request.next_page(offset)}

    def _limit(self, request: Request) -> int | None:
        text = request.query.get("limit")
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_PAGE):
            raise Refusal(400, f"limit: Must be between 1 and {LARGEST_PAGE}")
        return int(text)

    def _start(self, request: Request, gids: Sequence[str]) -> int:
        token = request.query.get("offset")
        if token is None:
            return 0
        claims = self._read(token)
        if claims is None or claims["query"] != _fingerprint(request):
            raise Refusal(400, "offset: Your pagination token is invalid.")
        if claims["exp"] < self._clock():
            raise Refusal(400, "offset: Your pagination token has expired.")
        position, border = claims["border_rank"]
        if gids[position - 1 : position] == [border]:
            return int(position)
        return gids.index(border) + 1 if border in gids else int(position) - 1

    def _sign(self, claims: Json) -> str:
        issued_at = int(self._clock())
        signed = f"{_b64(_HEADER)}.{_b64({**claims, 'iat': issued_at, 'exp': issued_at + LIFETIME_SECONDS})}"
        return f"{signed}.{self._signature(signed)}"

    def _read(self, token: str) -> Json | None:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode("utf-8", "replace")):
            return None
        payload = signed.partition(".")[2]
        claims: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims

    def _signature(self, signed: str) -> str:
        digest = hmac.digest(self._key, signed.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


_HEADER: Json = {"alg": "HS256", "typ": "JWT"}


def _b64(value: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _fingerprint(request: Request) -> str:
    """What a token is bound to: the path and every parameter but the offset."""
    query = sorted((name, value) for name, value in request.query.items() if name != "offset")
    return hashlib.sha256(repr((request.path, query)).encode("utf-8", "backslashreplace")).hexdigest()[:16]
