"""One request: send it, read all of its body within bounds, decode the JSON.

Nothing is retried here. What went wrong on the way is `BrokenAnswer`, which a retry may mend; an answer that arrived
whole is returned with its status, whatever that is.
"""

import http.client
import json
import ssl
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from perfcopilot_goals.asana.wire import CONNECT_SECONDS, Connections, TooLong, bounded
from perfcopilot_goals.errors import AsanaContractError

REQUEST_SECONDS = 60.0
BODY_BYTES = 8 * 1024 * 1024
# Headers come on top of the body; http.client takes a hundred of them.
_HEAD_BYTES = 1024 * 1024
# Asana allows 50 GETs in flight per token.
IN_FLIGHT = 50
_CHUNK = 64 * 1024


class BrokenResponse(Exception):
    """No whole answer came. The message is safe to show. `is_contract`: a whole body came, and it was not JSON."""

    def __init__(self, what: str, *, is_contract: bool = False) -> None:
        super().__init__(what)
        self.is_contract = is_contract


class UntrustedServer(Exception):
    """The server's certificate is not valid for its name; no retry will change that."""


@dataclass(frozen=True)
class Response:
    """A whole answer: status, headers by their names in lower case, and the body as it was sent, unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def decode(self) -> Any:
        """The body as JSON; `BrokenAnswer` if it looks cut, `AsanaContractError` if it is something else altogether."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type and not content_type.endswith("json"):
            raise AsanaContractError(f"an answer of content-type {content_type[:40]!r} came where JSON was agreed")
        try:
            # JSON is UTF-8 whatever a charset header claims.
            return json.loads(self.body.decode("utf-8-sig"))
        except RecursionError:
            raise AsanaContractError("JSON nested too deep to be an answer of Asana") from None
        except ValueError:
            raise BrokenResponse(f"{len(self.body)} bytes that are not whole JSON", is_contract=True) from None


class Transport:
    """The connections to one API with one token. Safe to share between threads."""

    def __init__(self, base_url: str, token: str, request_seconds: float, stop: threading.Event) -> None:
        self.request_seconds = request_seconds
        self.stop = stop
        self._connections = Connections(base_url)
        self._root = urlsplit(base_url).path
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "perfcopilot-goals",
        }

    def get(self, path: str, params: Mapping[str, str]) -> Response:
        """The answer to one GET, its body whole. Redirects are not followed."""
        target = f"{self._root}{path}?{urlencode(params)}"
        try:
            with (
                bounded(self.request_seconds, _HEAD_BYTES + BODY_BYTES, self.stop),
                self._connections.one() as connection,
            ):
                connection.request("GET", target, headers=self._headers)
                with connection.getresponse() as response:
                    return Response(response.status, _plain(response.headers), _read_body(response))
        except TooLong:
            raise _too_long() from None
        except ssl.SSLCertVerificationError:
            raise UntrustedServer from None
        except ssl.SSLError:
            raise BrokenResponse("the encrypted connection failed") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            # ValueError: http.client takes a chunk's size for a number of bytes to read even if it is negative.
            raise BrokenResponse(_reason(error)) from None

    def close(self) -> None:
        """End the kept-alive connections."""
        self._connections.close()


def _plain(headers: http.client.HTTPMessage) -> dict[str, str]:
    """By lower-case names; what comes several times is one list, as HTTP has it."""
    plain: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower()
        plain[key] = f"{plain[key]}, {value}" if key in plain else value
    return plain


def _read_body(response: http.client.HTTPResponse) -> bytes:
    """The body after decompression, which may not be more than `BODY_BYTES`."""
    lengths = set(response.headers.get_all("Content-Length", []))
    if len(lengths) > 1 or (lengths and response.length is None and not response.chunked):
        raise BrokenResponse("a body whose length is not one number")
    gzipped = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
    body = bytearray()
    while chunk := response.read(_CHUNK):
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, BODY_BYTES + 1 - len(body))
        except zlib.error:
            raise BrokenResponse("a compressed body that is damaged") from None
        if len(body) > BODY_BYTES:
            raise _too_long()
    # Read in parts, a body that ends before its length is no error of http.client's.
    if response.length:
        raise BrokenResponse("a body that was cut")
    if inflate is not None and not inflate.eof:
        raise BrokenResponse("a compressed body that was cut")
    return bytes(body)


def _too_long() -> AsanaContractError:
    return AsanaContractError(f"an answer of more than {BODY_BYTES // 1024 // 1024} MiB came; it was not read on")


def _reason(error: Exception) -> str:
    """What happened on the wire, without the text of the error, which may quote the request."""
    text = f"{type(error).__name__} {error!r}".lower()
    for words, reason in (
        (("notconnected",), f"no connection within {CONNECT_SECONDS:.0f} s"),
        (("timeout", "timed out", "own clock"), "no whole answer in time"),
        (("incompleteread",), "a body that was cut"),
        (("reset", "aborted", "remotedisconnected", "broken pipe"), "a connection that was closed"),
        (("gaierror",), "a host name that does not resolve"),
        (("refused",), "a connection that was refused"),
    ):
        if any(word in text for word in words):
            return reason
    return "a connection that failed"
