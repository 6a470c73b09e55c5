"""Parses an http(s) address, so that the host that was checked is the host that is called.

Libraries read some addresses in two ways: `https://app.asana.com\\@evil` can have either host. Here such an address is
refused. The caller decides which hosts are right.
"""

import base64
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit


@dataclass(frozen=True)
class WebAddress:
    """The parts of an address without a user. `host` is in lower case and without brackets."""

    scheme: str
    host: str
    query: str | None
    fragment: str | None


def is_loopback(host: str) -> bool:
    """Whether the host is `localhost` or an address of the loopback network."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def basic_credentials(credentials: str) -> str:
    """`user:password` of a URL, as a header of Basic authentication sends it.

    The percent-encoded bytes are sent as they are, as curl does. urllib3's own function takes only Latin-1.
    """
    return base64.b64encode(unquote_to_bytes(credentials)).decode()


def parse_web_address(url: str) -> WebAddress:
    """The address, or a `ValueError` whose text continues "the address …" and does not repeat it.

    Asana is called by urllib3's parse, a webhook by the standard library's, so both must agree.
    """
    # Imported here because `--help` must load no HTTP library.
    from urllib3.exceptions import LocationParseError  # noqa: PLC0415
    from urllib3.util import parse_url  # noqa: PLC0415

    if not re.fullmatch(r"[\x21-\x7e]+", url) or "\\" in url:
        raise ValueError("has blanks or characters that a URL does not have")
    read = None
    try:
        read, other = parse_url(url), urlsplit(url)
        agree = (read.host or "").strip("[]") == (other.hostname or "") and read.port == other.port
    except (LocationParseError, ValueError):
        agree = False
    if read is None:
        # Raised outside the except block: the library's error repeats the address, and would be kept as the context.
        raise ValueError("is not a URL")
    host = (read.host or "").strip("[]").lower()
    if not host or not agree or read.scheme not in ("http", "https"):
        raise ValueError("is not a plain http(s) URL with a host")
    if read.auth is not None or "@" in other.netloc:
        raise ValueError("has a user in front of its host")
    return WebAddress(read.scheme, host, read.query, read.fragment)
