"""What came back from a request, and which error to raise if that was no 200.

It is a refusal, a failure that may pass, a broken contract, or a setting that no retry mends. Such a setting is a
certificate that is not trusted, or a proxy that refuses. `client` decides how often a failure is retried. The caller
that made the request decides what a refusal means. Add a cause here when people have to do something else about it.
"""

import http.client
import json
import re
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from requests.exceptions import ProxyError
from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, NameResolutionError, NewConnectionError

from perfcopilot_goals.asana.bounds import CONNECT_SECONDS, OutOfTime
from perfcopilot_goals.domain.web_address import is_loopback
from perfcopilot_goals.errors import AsanaContractError, GoalsConfigError

# Longer than any deadline. A Retry-After is capped here, since it is only compared and added up.
LONGEST_RETRY_AFTER = 10.0**12
BAD_LENGTH = "a body whose length is not one number"

_PROXY = "the proxy that PERFCOPILOT_ASANA_PROXY names"
_NOT_SENT = "so the token was not sent; no block was changed"
# The first kind that is found in an error's chain decides.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (NameResolutionError, "a host name that does not resolve"),
    (ConnectionRefusedError, "a connection that was refused"),
    (ConnectTimeoutError, f"no connection within {CONNECT_SECONDS:.0f} s"),
    (OutOfTime, "no whole response in time"),
    (TimeoutError, "no whole response in time"),
    (InvalidHeader, BAD_LENGTH),
    (ssl.SSLError, "the encrypted connection failed"),
    (http.client.IncompleteRead, "a body that was cut"),
    (ConnectionError, "a connection that was closed"),
)
_UNREACHABLE = (NewConnectionError, ConnectTimeoutError, ssl.SSLError, ConnectionError)
# OpenSSL's numbers, X509_V_ERR_….
_EXPIRED, _NOT_YET_VALID = 10, 9
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_WRONG_NAME = (62, 64)


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
            f"GET {path}: status {status} with content-type 'text/html' came from something in between; no block "
            "was changed",
            action="Check the proxy or the connection's base URL",
        ).answered(status)
    if status in (400, 401, 402, 403, 404, 451):
        return Refused(status, _error_messages(response))
    kind = "a redirect, which is not followed" if 300 <= status < 400 else "not agreed"
    return AsanaContractError(
        f"GET {path}: status {status} is {kind}; no block was changed", action="Check the connection's base URL"
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


def explain(error: BaseException, host: str, *, is_proxied: bool, has_begun: bool) -> Retryable | GoalsConfigError:
    """What to raise if no whole response came. `has_begun`: its headers had come.

    The library's errors may quote the request, so none of their text is shown.
    """
    chain = _chain(error)
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            return _untrusted(one)
    reason = next((reason for kind, reason in _REASONS if _has(chain, kind)), "a connection that failed")
    if not is_proxied:
        is_out_of_reach = not (has_begun or is_loopback(host)) and _has(chain, _UNREACHABLE)
        return Retryable(
            reason,
            action="If this machine reaches the internet only through a proxy, name it in PERFCOPILOT_ASANA_PROXY"
            if is_out_of_reach
            else None,
        )
    if not _has(chain, ProxyError):
        return Retryable(f"{reason}, through {_PROXY}")
    return _refused_by_proxy(chain, host) or Retryable(
        f"{reason}, on the way to {_PROXY}", action="Check the host and port in that setting"
    )


def _chain(error: BaseException | None) -> list[BaseException]:
    """The error and its causes: `requests` wraps what urllib3 wraps."""
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__context__
    return chain


def _has(chain: Sequence[BaseException], kind: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(one, kind) for one in chain)


def _untrusted(error: ssl.SSLCertVerificationError) -> GoalsConfigError:
    """The error for a certificate that is not trusted. What to do depends on the cause; waiting never helps."""
    if error.verify_code in _UNKNOWN_ISSUER:
        what = "is from an issuer that this machine does not know"
        action = (
            "If the issuer is your company's own (some proxies inspect traffic), put the issuer's certificate into a "
            "PEM file and name that file in SSL_CERT_FILE"
        )
    elif error.verify_code in _WRONG_NAME:
        what = "is for another name than the base URL's"
        action = "Check the connection's base URL; if that is right, another server answers in its place"
    elif error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        what = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        action = "Check this machine's clock. If it is right, ask the server's owner to renew the certificate"
    else:
        # One of OpenSSL's fixed sentences. Only those about names quote anything, and they are handled above.
        what = f"is refused ({error.verify_message})"
        action = "Ask the server's owner to replace it"
    return GoalsConfigError(f"the server's certificate {what}, {_NOT_SENT}", action=action)


def _refused_by_proxy(chain: Sequence[BaseException], host: str) -> GoalsConfigError | Retryable | None:
    """What the proxy's status means when it opened no tunnel; None if it sent no status."""
    # http.client has the status only in the error's text. The words after it are the proxy's and are not shown.
    refusals = [re.match("Tunnel connection failed: ([0-9]{3}) ", f"{one} ") for one in chain if type(one) is OSError]
    status = next((int(refusal[1]) for refusal in refusals if refusal), None)
    if status is None:
        return None
    if status == 407:
        return GoalsConfigError(
            f"{_PROXY} asks for a user and password, or refuses those it got (status 407), {_NOT_SENT}",
            action="Set it to http://user:password@host:port, with characters such as @ : / % percent-encoded. Only "
            "Basic authentication is supported",
        )
    if 400 <= status < 500 and status not in (408, 429):
        return GoalsConfigError(
            f"{_PROXY} does not let this machine connect to {host} (status {status}), {_NOT_SENT}",
            action="Ask the proxy's administrator to allow it, or name another proxy",
        )
    return Retryable(f"status {status} from {_PROXY}")
