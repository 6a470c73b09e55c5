"""How far a fetch is, told while it runs: a walk over thousands of goals takes minutes at the token's limit."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

LOG_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Progress:
    """How far a fetch is; `total` is None while unknown, `waited_seconds` went to the rate limit and to retries."""

    connection: str
    what: str
    done: int
    total: int | None
    requests: int
    throttled: int
    waited_seconds: float

    def __str__(self) -> str:
        share = f"{self.done} of {self.total}" if self.total is not None else str(self.done)
        waits = f", {self.throttled} rejected" if self.throttled else ""
        return f"{self.connection}: {share} {self.what}, {self.requests} requests{waits}"


# Hears how far a fetch is, or a line that the run's log has already and a person may wait for.
Report = Callable[[Progress | str], None]


class LogProgress:
    """Tells Dagster's log of the run, at most every ten seconds and at the end."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, progress: Progress | str) -> None:
        if isinstance(progress, str):
            return
        now = time.monotonic()
        if progress.done == progress.total or now - self._told_at >= LOG_EVERY_SECONDS:
            self._told_at = now
            dg.get_dagster_logger().info(str(progress))
