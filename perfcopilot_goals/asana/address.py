"""Where a token may be sent: Asana's host, a loopback address, or a host that the operator allowed by name.

Whoever can write a connection could otherwise have the token sent to a host of their own.
"""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from perfcopilot_goals.errors import GoalsConfigError

ASANA_HOST = "app.asana.com"
DEFAULT_BASE_URL = f"https://{ASANA_HOST}/api/1.0"


def check_base_url(base_url: str, allowed_hosts: Collection[str] = ()) -> str:
    """The URL without a trailing slash, or `GoalsConfigError`.

    Requests go where urllib3 reads the URL to point. One that the standard library reads differently
    (`https://app.asana.com\\@evil`) is refused, and so is one with user, query or fragment.
    """
    if not re.fullmatch(r"[\x21-\x7e]+", base_url) or "\\" in base_url:
        raise _refused("has blanks or characters that a URL does not have")
    try:
        url = parse_url(base_url)
        other = urlsplit(base_url)
        agree = (url.host or "").strip("[]") == (other.hostname or "") and url.port == other.port
    except (LocationParseError, ValueError):
        raise _refused("is not a URL") from None
    host = (url.host or "").strip("[]").lower()
    if not host or not agree or url.scheme not in ("http", "https"):
        raise _refused("is not a plain http(s) URL with a host")
    if url.auth or url.query is not None or url.fragment is not None or "@" in base_url:
        raise _refused("has a user, query or fragment, which an API's address does not have")
    if not is_loopback(host):
        if host != ASANA_HOST and host not in allowed_hosts:
            raise _refused(
                f"has a host that is not {ASANA_HOST}; the token is sent nowhere else. "
                "If the host is right, name it in PERFCOPILOT_ASANA_HOSTS"
            )
        if url.scheme != "https":
            raise _refused("is not https; off this machine the token travels encrypted only")
    return base_url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether the host is `localhost` or an address of the loopback network."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(reason: str) -> GoalsConfigError:
    return GoalsConfigError(f"the base URL {reason}; Asana's is {DEFAULT_BASE_URL}. No request was sent")
