"""One request: send it, read all of its body within bounds, decode the JSON.

Nothing is retried here. What went wrong on the way is `BrokenAnswer`, which a retry may mend; an answer that arrived
whole is returned with its status, whatever that is.
"""

import json
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from perfcopilot_goals.asana.wire import BoundedAdapter, bounded
from perfcopilot_goals.errors import AsanaContractError

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0
BODY_BYTES = 8 * 1024 * 1024
# Asana allows 50 GETs in flight per token.
IN_FLIGHT = 50
_CHUNK = 64 * 1024


class BrokenAnswer(Exception):
    """No whole answer came. The message is safe to show."""


class UntrustedServer(Exception):
    """The server's certificate is not valid for its name; no retry will change that."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers and the raw body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def decode(self) -> Any:
        """The body as JSON; `BrokenAnswer` if it looks cut, `AsanaContractError` if it is something else altogether."""
        content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type and not content_type.endswith("json"):
            raise AsanaContractError(f"an answer of content-type {content_type[:40]!r} came where JSON was agreed")
        try:
            # JSON is UTF-8 whatever a charset header claims.
            return json.loads(self.body.decode("utf-8-sig"))
        except RecursionError:
            raise AsanaContractError("JSON nested too deep to be an answer of Asana") from None
        except ValueError:
            raise BrokenAnswer(f"{len(self.body)} bytes that are not whole JSON") from None


class Transport:
    """The connections to one API with one token. Safe to share between threads."""

    def __init__(self, base_url: str, token: str, request_seconds: float, stop: threading.Event) -> None:
        self.base_url = base_url
        self.request_seconds = request_seconds
        self.stop = stop
        # The adapter alone, without a session: that would take a proxy from the environment, which sees the token on
        # http, a .netrc entry, which replaces it, and read the whole body of a redirect, however large.
        self._adapter = BoundedAdapter(pool_connections=1, pool_maxsize=IN_FLIGHT, max_retries=0)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "perfcopilot-goals",
        }

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        """The answer to one GET, its body whole. Redirects are not followed."""
        timeout = (CONNECT_SECONDS, self.request_seconds)
        try:
            request = requests.Request("GET", self.base_url + path, params=params, headers=self._headers).prepare()
            with (
                bounded(self.request_seconds, self.stop),
                self._adapter.send(request, stream=True, timeout=timeout, proxies={}) as response,
            ):
                return Answer(response.status_code, response.headers, _read_body(response.raw))
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise UntrustedServer from None
            raise BrokenAnswer("the encrypted connection failed") from None
        except requests.exceptions.ConnectTimeout:
            raise BrokenAnswer(f"no connection within {CONNECT_SECONDS:.0f} s") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise BrokenAnswer(_reason(error)) from None

    def close(self) -> None:
        """End the keep-alive connections."""
        self._adapter.close()


def _read_body(raw: Any) -> bytes:
    """The body after decompression. Neither that nor what comes over the wire may be more than `BODY_BYTES`.

    Decompressed here and not by urllib3, which takes a gzip stream that was cut for a whole one.
    """
    gzipped = raw.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
    body = bytearray()
    received = 0
    while chunk := raw.read(_CHUNK, decode_content=False):
        received += len(chunk)
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, BODY_BYTES + 1 - len(body))
        except zlib.error:
            raise BrokenAnswer("a compressed body that is damaged") from None
        # Received counts as well: what follows the end of a gzip stream inflates to nothing, and zlib keeps it.
        if max(len(body), received) > BODY_BYTES:
            raise AsanaContractError(
                f"an answer of more than {BODY_BYTES // 1024 // 1024} MiB came; it was not read on"
            )
    if inflate is not None and not inflate.eof:
        raise BrokenAnswer("a compressed body that was cut")
    return bytes(body)


def _reason(error: Exception) -> str:
    """What happened on the wire, without the text of the error, which may quote the request."""
    text = f"{type(error).__name__} {error!r}".lower()
    for words, reason in (
        (("timeout", "timed out", "own clock"), "no whole answer in time"),
        (("incompleteread", "invalidchunk"), "a body that was cut"),
        (("reset", "aborted", "remotedisconnected", "broken pipe"), "a connection that was closed"),
        (("nameresolution", "name or service", "getaddrinfo"), "a host name that does not resolve"),
        (("refused",), "a connection that was refused"),
    ):
        if any(word in text for word in words):
            return reason
    return "a connection that failed"
