"""Sessions of the local page: a one-time key becomes a session, and a session ends after twelve hours.

Both are kept in memory only, as digests. A restart of the page ends every session.
"""

import hashlib
import hmac
import secrets
import threading
from collections import deque
from collections.abc import Callable

SESSION_SECONDS = 12 * 3600
# Wrong keys a minute, after which no key is looked at until the minute is over.
WRONG_KEYS = 10
_MINUTE = 60.0


class TooManyKeysError(Exception):
    """Too many wrong keys were tried within a minute."""


class Sessions:
    """The key that is valid now, and the sessions that are open. Safe to share between threads."""

    def __init__(self, now: Callable[[], float], on_key: Callable[[str], None] = lambda _: None) -> None:
        self._now = now
        self._on_key = on_key
        self._lock = threading.Lock()
        self._open: dict[bytes, float] = {}
        self._wrong: deque[float] = deque()
        self._key = b""

    def renew_key(self) -> None:
        """Make a new one-time key, and hand it to `on_key`. The one before is not valid any more."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._key = _digest(key)
        self._on_key(key)

    def enter(self, key: str) -> str | None:
        """A new session for the key, which is then used up and replaced; None if the key is wrong."""
        with self._lock:
            now = self._now()
            while self._wrong and now - self._wrong[0] >= _MINUTE:
                self._wrong.popleft()
            if len(self._wrong) >= WRONG_KEYS:
                raise TooManyKeysError
            if not self._key or not hmac.compare_digest(_digest(key), self._key):
                self._wrong.append(now)
                return None
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


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
