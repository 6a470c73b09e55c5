"""Who is asking, and what they may see.

Locally that is whoever opened the one-time link: they may all. Behind a login proxy the user's e-mail address comes in
a header, which counts only together with the secret that the page and the proxy share.
"""

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from perfcopilot_goals import services
from perfcopilot_goals.admin.sessions import Sessions
from perfcopilot_goals.domain.employee import address_of
from perfcopilot_goals.services.databases import Database
from perfcopilot_goals.settings import Settings

SECRET_HEADER = "X-Perfcopilot-Proxy"
LOCAL = "local"


class Denied(Exception):
    """The visitor may not see this. The text says why, to be shown with status 403."""


@dataclass(frozen=True)
class Visitor:
    """Who is asking.

    `actor` is their name in the audit log. `reports` are the employees whose goals a manager may see, by connection;
    an administrator sees all. `form_key` has to come with every form.
    """

    actor: str
    is_admin: bool
    reports: Mapping[str, frozenset[str]]
    form_key: str

    def may_see(self, connection: str, employee_id: str) -> bool:
        """Whether they may see this employee's goals."""
        return self.is_admin or employee_id in self.reports.get(connection, ())


def cookie_of(request: Request) -> str:
    """The name of the session's cookie. It has the port, since browsers send a cookie to every port of a host."""
    return f"perfcopilot_admin_{request.url.port or 80}"


class Access:
    """Finds the visitor of a request. `on_key` gets each one-time key, to be shown to the person at the terminal."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        now: Callable[[], float] = time.time,
        on_key: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._secret = settings.admin_proxy_secret
        self._admins = {address_of(admin) for admin in settings.admins} - {""}
        # Behind a proxy several processes may serve one user, so all have to make the same keys of forms.
        self._key = self._secret.encode() if self._secret else secrets.token_bytes(32)
        self.sessions = Sessions(now, on_key)

    @property
    def is_behind_proxy(self) -> bool:
        """Whether a login proxy says who is asking."""
        return self._secret is not None

    def find_visitor(self, request: Request) -> Visitor:
        """The visitor; `Denied` if they may see nothing."""
        return self._find_user(request) if self.is_behind_proxy else self._find_local(request)

    def _find_local(self, request: Request) -> Visitor:
        session = request.cookies.get(cookie_of(request), "")
        if not self.sessions.is_open(session):
            raise Denied("Open the link that perfcopilot-goals admin has printed last. Each link works once.")
        return Visitor(LOCAL, True, {}, self._form_key(session))

    def _find_user(self, request: Request) -> Visitor:
        sent = request.headers.getlist(SECRET_HEADER)
        secret = (self._secret or "").encode()
        if len(sent) != 1 or not hmac.compare_digest(sent[0].encode("latin-1", "replace"), secret):
            raise Denied("This page is reached through the company's login.")
        address = _parse_address(request.headers.getlist(self._settings.admin_user_header))
        if not address:
            raise Denied("The login did not say who you are.")
        if address in self._admins:
            return Visitor(address, True, {}, self._form_key(address))
        reports = services.roster.list_reports(self._database, address)
        if not reports:
            raise Denied("Nobody reports to you by the roster, and you are not among the administrators.")
        return Visitor(address, False, reports, self._form_key(address))

    def _form_key(self, who: str) -> str:
        return hmac.digest(self._key, f"form\n{who}".encode(), "sha256").hex()


def _parse_address(values: list[str]) -> str:
    """The one address of the header; "" if there is none, or more than one."""
    try:
        (value,) = (value.encode("latin-1").decode("utf-8").strip() for value in values)
    except ValueError:
        return ""
    return address_of(value) if re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", value) else ""
