"""Where a token may be sent: Asana's host, a loopback address, or a host that the operator allowed by name.

Otherwise anybody who can edit a connection could have the token sent to a host of their own.
"""

from collections.abc import Collection

from perfcopilot_goals.domain.web_address import is_loopback, parse_web_address
from perfcopilot_goals.errors import GoalsConfigError

ASANA_HOST = "app.asana.com"
DEFAULT_BASE_URL = f"https://{ASANA_HOST}/api/1.0"


def check_base_url(base_url: str, allowed_hosts: Collection[str] = ()) -> str:
    """The URL without a trailing slash, or `GoalsConfigError`.

    A URL with a user, a query or a fragment is refused. So is one that two libraries read differently, such as
    `https://app.asana.com\\@evil`.
    """
    try:
        address = parse_web_address(base_url)
    except ValueError as error:
        raise _refused(str(error)) from None
    if address.query is not None or address.fragment is not None or "@" in base_url:
        raise _refused("has a query, a fragment or an @, which an API's address does not have")
    if not is_loopback(address.host):
        if address.host != ASANA_HOST and address.host not in allowed_hosts:
            raise _refused(
                f"has a host that is not {ASANA_HOST}, and the token is sent nowhere else",
                ". If the host is right, name it in PERFCOPILOT_ASANA_HOSTS",
            )
        if address.scheme != "https":
            raise _refused("is not https; off this machine the token travels encrypted only")
    return base_url.rstrip("/")


def _refused(reason: str, or_else: str = "") -> GoalsConfigError:
    return GoalsConfigError(
        f"the base URL {reason}; no request was sent", action=f"Asana's is {DEFAULT_BASE_URL}{or_else}"
    )
