"""What happened to a request that brought no whole response, and what to do about it.

The library's errors may quote the request, so none of their text is shown. `Retryable` is a failure that may pass.
`GoalsConfigError` is one that no retry mends: a certificate that is not trusted, or a proxy that refuses. Add a cause
here when people have to do something else about it.
"""

import http.client
import re
import ssl
from collections.abc import Sequence

from urllib3.exceptions import ConnectTimeoutError, InvalidHeader, NameResolutionError, NewConnectionError, ProxyError

from perfcopilot_goals.asana.bounds import CONNECT_SECONDS, OutOfTime
from perfcopilot_goals.asana.responses import Retryable
from perfcopilot_goals.domain.web_address import is_loopback
from perfcopilot_goals.errors import GoalsConfigError

BAD_LENGTH = "a body whose length is not one number"

_PROXY = "the proxy that PERFCOPILOT_ASANA_PROXY names"
_NOT_SENT = "so the token was not sent; nothing was written"
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


def explain(error: BaseException, host: str, *, is_proxied: bool, has_begun: bool) -> Retryable | GoalsConfigError:
    """The error to raise in place of the library's. `has_begun`: the headers of the response had come."""
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
    """The error and its causes: urllib3 wraps what http.client, ssl and the socket raise."""
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
