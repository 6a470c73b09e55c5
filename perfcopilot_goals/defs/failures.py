"""Turns an error of ours into a failure in Dagster that says what to do and leaks nothing.

Dagster stores an exception with its message, its stack and its whole chain of causes. So every exception inside an
asset, an input or an output becomes a `Failure` with a safe text. The sync log records how the sync ended.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

from perfcopilot_goals.domain.sync import INTERRUPTED
from perfcopilot_goals.errors import GoalsError

ERROR_CODE = "error_code"

# Gets the error's class, and what to do about it if the error says so.
Record = Callable[[str, str | None], None]


def not_recorded(_error_code: str, _remedy: str | None) -> None:
    """For a step that is no part of a sync: the sync log does not hear of it."""


@contextmanager
def as_failures(connection: str, record: Record) -> Iterator[None]:
    """Turn every exception of the block into a `Failure`; `record` gets the error's class and remedy first.

    Our own errors keep their message and name the connection. An unexpected one is reported by its class and place
    only, because its message may quote a row. Dagster retries no step: docs/decisions/0013 says who retries.
    """
    try:
        yield
    except GoalsError as error:
        _record(record, type(error).__name__, error.about(connection).remedy)
        raise dg.Failure(description=str(error), metadata={ERROR_CODE: type(error).__name__}) from None
    except dg.Failure:
        raise
    except Exception as error:
        kind = type(error).__name__
        _record(record, kind)
        raise dg.Failure(
            description=f"{kind} in connection {connection}, an error of the program itself: {_where(error)}",
            metadata={ERROR_CODE: kind},
        ) from None
    except BaseException:
        # Somebody ended the run (Ctrl-C, SIGTERM, Dagster's cancel). Without this the sync log would call it running.
        _record(record, INTERRUPTED)
        raise


def _where(error: Exception) -> str:
    """Where it was raised. That is often in a library, so also the last two places of ours on the way there."""
    innermost, *outer = reversed(traceback.extract_tb(error.__traceback__))
    ours = [place for place in outer if "/perfcopilot_goals/" in place.filename]
    return " < ".join(
        f"{place.name} in {place.filename.rpartition('/')[2]}:{place.lineno}" for place in [innermost, *ours[:2]]
    )


def _record(record: Record, error_code: str, remedy: str | None = None) -> None:
    try:
        record(error_code, remedy)
    except Exception:
        # The sync log cannot be reached either. The failure at hand says more, so nothing may replace it.
        return
