"""Reports how far a fetch is: at the token's limit, a walk over thousands of goals takes minutes."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

LOG_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Progress:
    """How far a fetch is; `total` is None while unknown."""

    connection: str
    what: str
    done: int
    total: int | None
    requests: int
    throttled: int

    def __str__(self) -> str:
        share = f"{self.done} of {self.total}" if self.total is not None else str(self.done)
        waits = f", {self.throttled} rejected" if self.throttled else ""
        return f"{self.connection}: {share} {self.what}, {self.requests} requests{waits}"


# Gets how far a fetch is, or a line for the person who waits, which the run's log already has.
Report = Callable[[Progress | str], None]


class LogProgress:
    """Writes to the run's log in Dagster, at most every ten seconds and at the end."""

    def __init__(self) -> None:
        self._reported_at = time.monotonic()

    def __call__(self, progress: Progress | str) -> None:
        if isinstance(progress, str):
            return
        now = time.monotonic()
        if progress.done == progress.total or now - self._reported_at >= LOG_EVERY_SECONDS:
            self._reported_at = now
            dg.get_dagster_logger().info(str(progress))
