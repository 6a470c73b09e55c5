"""An http(s) address taken apart, so that what is called is what was checked.

Libraries read some addresses in two ways: `https://app.asana.com\\@evil` has either host. Here such an address is no
address. Which hosts are right is up to whoever asks.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class WebAddress:
    """The parts of an address. `host` is in lower case and without brackets; the address has no user."""

    scheme: str
    host: str
    query: str | None
    fragment: str | None

    @property
    def is_loopback(self) -> bool:
        """Whether the host is `localhost` or an address of the loopback network."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_web_address(url: str) -> WebAddress:
    """The address, or `ValueError` whose text goes on after "the address", and does not repeat it.

    `requests` reads an address by urllib3 and connects by what the standard library reads, so both have to agree.
    """
    # Not before an address is there to be read: `--help` loads no library for HTTP.
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
        # Raised out here: the library's error repeats the address, and would come along as the context.
        raise ValueError("is not a URL")
    host = (read.host or "").strip("[]").lower()
    if not host or not agree or read.scheme not in ("http", "https"):
        raise ValueError("is not a plain http(s) URL with a host")
    if read.auth is not None or "@" in other.netloc:
        raise ValueError("has a user in front of its host")
    return WebAddress(read.scheme, host, read.query, read.fragment)
