"""How an error of ours becomes a failure in Dagster that tells what to do and leaks nothing.

Dagster stores an exception with its message, its stack and its whole chain of causes. So whatever is raised inside an
asset, an input or an output is replaced here by a `Failure` whose text is safe, and the sync log learns how it ended.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg

from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.storage.sync_log import INTERRUPTED

ERROR_CODE = "error_code"


@contextmanager
def as_failures(connection: str, note: Callable[[str], None]) -> Iterator[None]:
    """Turn every exception of the block into a `Failure`; `note` is told the error's class first.

    Ours keep their message and name the connection. An unexpected one is told by its
    class and place only, since its message may quote a row. Dagster retries only what another try can mend.
    """
    try:
        yield
    except GoalsError as error:
        _note(note, type(error).__name__)
        raise dg.Failure(
            description=str(error.about(connection)),
            metadata={ERROR_CODE: type(error).__name__},
        ) from None
    except dg.Failure:
        raise
    except Exception as error:
        _note(note, type(error).__name__)
        kind = type(error).__name__
        raise dg.Failure(
            description=f"{kind} in connection {connection}, an error of the program itself: {_where(error)}",
            metadata={ERROR_CODE: kind},
        ) from None
    except BaseException:
        # Somebody ended the run (Ctrl-C, SIGTERM, Dagster's cancel); without this the sync log would say that it runs.
        _note(note, INTERRUPTED)
        raise


def _where(error: Exception) -> str:
    """The place where it was raised and, as that is often in a library, the two of ours that led there."""
    innermost, *outer = reversed(traceback.extract_tb(error.__traceback__))
    ours = [place for place in outer if "/perfcopilot_goals/" in place.filename]
    return " < ".join(
        f"{place.name} in {place.filename.rpartition('/')[2]}:{place.lineno}" for place in [innermost, *ours[:2]]
    )


def _note(note: Callable[[str], None], error_code: str) -> None:
    try:
        note(error_code)
    except Exception:
        # The sync log cannot be reached either. The failure at hand says more, so it must not be replaced.
        return
