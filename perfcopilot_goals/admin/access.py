"""Who is asking, and what they may see.

Locally that is whoever opened the one-time link: they may all. The key in it becomes a session, which ends after twelve
hours. Both are kept in memory only, as digests, so a restart of the page ends every session.

Behind a login proxy the user's e-mail address comes in a header, which counts only together with the secret that the
page and the proxy share.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

from perfcopilot_goals import services
from perfcopilot_goals.domain.employee import address_of
from perfcopilot_goals.services.databases import Database
from perfcopilot_goals.settings import Settings

SECRET_HEADER = "X-Perfcopilot-Proxy"
LOCAL = "local"
SESSION_SECONDS = 12 * 3600
# Wrong keys a minute, after which no key is looked at until the minute is over.
WRONG_KEYS = 10
_MINUTE = 60.0


class Denied(HTTPException):
    """The visitor may not see this. The text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(403, text)


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


class Sessions:
    """The key that is valid now, and the sessions that are open. Safe to share between threads."""

    def __init__(self, now: Callable[[], float], on_key: Callable[[str], None]) -> None:
        self._now = now
        self._on_key = on_key
        self._lock = threading.Lock()
        self._open: dict[bytes, float] = {}
        self._wrong_at: list[float] = []
        self._key = b""

    def renew_key(self) -> None:
        """Make a new one-time key, and hand it to `on_key`. The one before is not valid any more."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._key = _digest(key)
        self._on_key(key)

    def enter(self, key: str) -> str:
        """A new session for the key, which is then used up and replaced.

        `Denied` if the key is wrong, and status 429 after too many wrong ones.
        """
        with self._lock:
            now = self._now()
            self._wrong_at = [at for at in self._wrong_at if now - at < _MINUTE]
            if len(self._wrong_at) >= WRONG_KEYS:
                raise HTTPException(429, "Too many wrong keys. Wait a minute, and open the link again.")
            if not hmac.compare_digest(_digest(key), self._key):
                self._wrong_at.append(now)
                raise Denied("This link was used already, or is not whole. Open the one that was printed last.")
            self._key = b""
            session = secrets.token_urlsafe(32)
            self._open = {known: until for known, until in self._open.items() if until > now}
            self._open[_digest(session)] = now + SESSION_SECONDS
        self.renew_key()
        return session

    def is_open(self, session: str) -> bool:
        """Whether the session exists and has not ended."""
        with self._lock:
            return self._open.get(_digest(session), 0.0) > self._now()


class Access:
    """Finds the visitor of a request. `on_key` gets each one-time key, to be shown to the person at the terminal."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        on_key: Callable[[str], None],
        now: Callable[[], float] = time.time,
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


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
