"""How commands print. Everything that goes to standard output or standard error passes through here.

Names, e-mail addresses and ids are written by other people. An escape sequence in a name can overwrite a line of ours,
a line break can add one, and some characters reverse what follows. So characters that a terminal would act upon are
replaced before they reach it. Commands print with `echo` and nothing else. How far a fetch is shows as a bar on a
terminal, and elsewhere as a plain line every few seconds.
"""

import io
import json
import os
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO, cast

from perfcopilot_goals.errors import GoalsError

if TYPE_CHECKING:
    from perfcopilot_goals.defs.progress import Progress

BAR_CHARS = 24
REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0

# Control characters; invisible ones and those that reorder text; surrogates; separators of lines and paragraphs.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text in one line, with U+FFFD for each character that a terminal would act upon instead of showing it."""
    if text.isprintable():
        return text
    return "".join("\N{REPLACEMENT CHARACTER}" if _is_unprintable(character) else character for character in text)


def echo(*lines: str, err: bool = False) -> None:
    """Prints these lines in one piece. A line stays one line, whatever it holds."""
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{printable(line)}\n" for line in lines))
    stream.flush()


def show_line(line: str) -> None:
    """Shows a line to the person who waits, on stderr, apart from the command's result."""
    echo(line, err=True)


def show_error(error: Exception, *, debug: bool) -> int:
    """Prints the error as one message on stderr, or its traceback with `debug`; returns the exit code of its class."""
    if debug:
        traceback.print_exception(error)
    elif isinstance(error, GoalsError):
        echo(*error.lines, err=True)
    else:
        # Its text may quote data, so only its class is shown.
        echo(f"{type(error).__name__}: an error of the program itself; --debug shows where", err=True)
    return error.exit_code if isinstance(error, GoalsError) else 1


def render_json(value: Any) -> list[str]:
    """Lines of JSON that parse to the value again. Characters that a terminal would act upon are escaped, not replaced.

    If the output is not UTF-8, every character beyond ASCII is escaped too. Moments and dates are in ISO 8601.
    """
    is_utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
    text = json.dumps(value, indent=2, ensure_ascii=not is_utf8, default=lambda moment: moment.isoformat())
    return [line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n")]


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guards standard output and standard error, also against what libraries print."""
    with redirect_stdout(_guarded(sys.stdout)), redirect_stderr(_guarded(sys.stderr)):
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


class Unfailing(io.TextIOBase):
    """A stream that never fails: it replaces characters beyond its encoding, and drops all once its reader has left.

    So a command goes on after `head` has seen enough. A sync must not stop half-way because nobody reads its lines.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "replace"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        shown = text.encode(self.encoding, "replace").decode(self.encoding)
        self._attempt(lambda: self._stream.write(shown))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def close(self) -> None:
        """Does nothing: the stream below belongs to its opener."""

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except (BrokenPipeError, ConnectionResetError):
            # Replaces the file below the stream: the stream still holds text, and writes it when it is closed.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


class _Guarded(Unfailing):
    """A stream of printable lines. Libraries see no terminal, so they print without colours."""

    def write(self, text: str) -> int:
        return super().write("\n".join(printable(line) for line in text.split("\n")))


class TerminalProgress:
    """Draws on stderr. Dagster redirects stderr during a run, so this keeps the stream as it was before."""

    def __init__(self, *, draws: bool = True) -> None:
        stderr = os.dup(sys.stderr.fileno())
        self._is_terminal = draws and os.isatty(stderr)
        self._stream = Unfailing(os.fdopen(stderr, "w", encoding=sys.stderr.encoding, errors="replace"))
        self._shown_at = time.monotonic()
        self._is_drawn = False

    def __call__(self, progress: "Progress | str") -> None:
        if isinstance(progress, str):
            self.clear()
            self._draw(f"{printable(progress)}\n")
            return
        now = time.monotonic()
        is_done = progress.done == progress.total
        if not is_done and now - self._shown_at < (REDRAW_SECONDS if self._is_terminal else LINE_SECONDS):
            return
        self._shown_at = now
        text = printable(str(progress))
        self._draw(f"\r\x1b[K{_bar(progress)} {text}" if self._is_terminal else f"{text}\n")
        self._is_drawn = self._is_terminal

    def clear(self) -> None:
        """Removes the bar, so that what is printed next has a line to itself."""
        if self._is_drawn:
            self._draw("\r\x1b[K")
            self._is_drawn = False

    def _draw(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _guarded(stream: TextIO | None) -> TextIO:
    # `None` was closed before the program started, as by `2>&-`. Its number is the lowest free one, so this file takes
    # it. Otherwise the socket to the database would take it, and everything printed would be sent there.
    return cast(TextIO, _Guarded(stream or open(os.devnull, "w", encoding="utf-8")))


def _is_unprintable(character: str) -> bool:
    return unicodedata.category(character) in _UNPRINTABLE


def _escaped(character: str) -> str:
    """As JSON escapes it, and U+007F too, which JSON does not escape."""
    if not _is_unprintable(character):
        return character
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def _bar(progress: "Progress") -> str:
    if not progress.total:
        return ""
    filled = BAR_CHARS * progress.done // progress.total
    return f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}]"
