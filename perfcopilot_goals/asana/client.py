"""A GET that is retried within bounds, and every way it may fail as one of our errors.

The retry covers send, read, decode and shape together: a body that was cut is as good a reason as a 503. All workers of
a sync share one client, and with it the pace, the gate, the retry budget, the deadline and the figures.
"""

import random
import re
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from perfcopilot_goals.asana.address import check_base_url
from perfcopilot_goals.asana.pacing import (
    ATTEMPTS,
    FAILED_BACKOFF,
    SYSTEM_CLOCK,
    THROTTLED_BACKOFF,
    Clock,
    RetryBudget,
    backoff,
    pacer_for,
)
from perfcopilot_goals.asana.transport import REQUEST_SECONDS, Answer, BrokenAnswer, Transport, UntrustedServer
from perfcopilot_goals.errors import AsanaContractError, AsanaUnavailableError, GoalsConfigError

# A sync may take a quarter of an hour beyond twice the time that its requests need at the token's limit.
GRACE_SECONDS = 15 * 60.0


class Refused(Exception):
    """Asana understood the request and said no; what that means depends on what was asked."""

    def __init__(self, status: int, says: Collection[str]) -> None:
        super().__init__(status)
        self.status = status
        self._says = says

    @property
    def is_unknown_route(self) -> bool:
        """The path itself is unknown, as opposed to what it names."""
        return self.status == 404 and any("no matching route" in text.lower() for text in self._says)

    @property
    def is_expired_offset(self) -> bool:
        return self.status == 400 and any("token has expired" in text.lower() for text in self._says)

    @property
    def is_about_workspace(self) -> bool:
        return any(text.lower().startswith("workspace:") for text in self._says)


@dataclass
class Figures:
    """What a sync cost so far. `changes` are names from Asana-Change headers, True where we are affected."""

    requests: int = 0
    throttled: int = 0
    pages: int = 0
    waited_seconds: float = 0.0
    changes: dict[str, bool] = field(default_factory=dict)


class AsanaClient:
    """The API as one sync uses it. Safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        requests_per_minute: int = 1_500,
        allowed_hosts: Collection[str] = (),
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        if not token:
            raise GoalsConfigError("the Asana token is empty; no request was sent")
        self.clock = clock
        self.pacer = pacer_for(token, requests_per_minute, self.clock)
        self.figures = Figures()
        self.stop = threading.Event()
        self._transport = Transport(check_base_url(base_url, allowed_hosts), token, request_seconds)
        self._jitter = jitter
        self._budget = RetryBudget()
        self.lock = threading.Lock()
        self._deadline = self.clock.monotonic() + GRACE_SECONDS

    def expect(self, requests: int) -> None:
        """So many more requests are to come: the deadline moves by twice the time they need at the token's limit."""
        self._deadline += 2 * requests * self.pacer.interval

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        """The decoded JSON of a 200; `Refused` for an answer that says no, one of our errors for everything else."""
        self._budget.count_first_try()
        for attempt in range(1, ATTEMPTS + 1):
            self.pacer.acquire(self.stop, self._note_wait)
            self._check_deadline(path, 0)
            with self.lock:
                self.figures.requests += 1
            problem, asked_wait = self._try(path, params)
            if not isinstance(problem, _Problem):
                return problem
            self._before_retry(path, attempt, problem, asked_wait)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def close(self) -> None:
        """Stop whoever waits and end the connections."""
        self.stop.set()
        self._transport.close()

    def _try(self, path: str, params: Mapping[str, str]) -> tuple[Any, float | None]:
        """The JSON, or a `_Problem` that a retry may mend and the wait that Asana asked for."""
        try:
            answer = self._transport.get(path, params)
            self._note_changes(answer.headers)
            if answer.status == 200:
                return answer.decode(), None
        except UntrustedServer:
            raise AsanaUnavailableError(
                f"GET {path}: the server's certificate is not valid for its name, so the token was not sent"
            ) from None
        except BrokenAnswer as broken:
            return _Problem(str(broken), is_contract="JSON" in str(broken)), None
        except AsanaContractError as error:
            raise AsanaContractError(f"GET {path}: {str(error).partition(': ')[2]}; nothing was written") from None
        if answer.status == 429:
            with self.lock:
                self.figures.throttled += 1
            return _Problem("429, over the token's rate limit", is_throttled=True), read_retry_after(answer.headers)
        if answer.status >= 500 or answer.status == 408:
            return _Problem(f"status {answer.status}"), read_retry_after(answer.headers)
        raise self._refusal(path, answer)

    def _refusal(self, path: str, answer: Answer) -> Exception:
        if answer.status in (400, 401, 402, 403, 404, 451):
            return Refused(answer.status, _error_messages(answer))
        kind = "a redirect, which is not followed" if 300 <= answer.status < 400 else "not agreed"
        return AsanaContractError(f"GET {path}: status {answer.status} is {kind}; check the connection's base URL")

    def _before_retry(self, path: str, attempt: int, problem: "_Problem", asked_wait: float | None) -> None:
        """Wait as long as it takes before the next attempt, or give up with the error that fits."""
        waits = THROTTLED_BACKOFF if problem.is_throttled else FAILED_BACKOFF
        wait = backoff(waits, attempt, self._jitter)
        if asked_wait is not None:
            # Never earlier than asked; a little later, so that not all who were told the same come back at once.
            wait = asked_wait + self._jitter() * min(1.0 + asked_wait / 10, 10.0)
        if attempt == ATTEMPTS:
            self._give_up(path, problem, f"after {ATTEMPTS} attempts")
        self._check_deadline(path, wait, asked_wait)
        if not self._budget.take():
            self._give_up(path, problem, "and the sync's budget for retries is spent")
        if problem.is_throttled:
            self.pacer.close_gate(wait)
        else:
            self._note_wait(wait)
            self.clock.wait(wait, self.stop)

    def _give_up(self, path: str, problem: "_Problem", why: str) -> NoReturn:
        if problem.is_contract:
            raise AsanaContractError(f"GET {path}: Asana sent {problem.what}, {why}; nothing was written")
        raise AsanaUnavailableError(f"GET {path}: {problem.what}, {why}; nothing was written. Run the sync again later")

    def _check_deadline(self, path: str, wait: float, asked_wait: float | None = None) -> None:
        if self.clock.monotonic() + wait > self._deadline:
            asked = f"; Asana asked to wait {asked_wait:.0f} s" if asked_wait is not None else ""
            raise AsanaUnavailableError(
                f"GET {path}: the sync's own deadline would pass{asked}; nothing was written. Run the sync again later"
            )

    def _note_wait(self, seconds: float) -> None:
        with self.lock:
            self.figures.waited_seconds += seconds

    def _note_changes(self, headers: Mapping[str, str]) -> None:
        for change in headers.get("Asana-Change", "").split(","):
            name = re.search(r"name=([A-Za-z0-9_]{1,80})", change)
            if name:
                with self.lock:
                    affected = self.figures.changes.get(name[1], False)
                    self.figures.changes[name[1]] = affected or "affected=true" in change


@dataclass(frozen=True)
class _Problem:
    what: str
    is_throttled: bool = False
    is_contract: bool = False


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After of whole seconds; anything else is treated as absent."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if re.fullmatch("[0-9]{1,12}", value) else None


def _error_messages(answer: Answer) -> list[str]:
    """Asana's own words, to tell two kinds of 404 or 400 apart; they are never shown."""
    try:
        return [str(error["message"])[:200] for error in answer.decode()["errors"]]
    except (AsanaContractError, BrokenAnswer, LookupError, TypeError):
        return []
