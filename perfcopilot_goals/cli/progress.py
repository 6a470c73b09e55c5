"""How far a fetch is: a bar on a terminal, and elsewhere a plain line every few seconds."""

import os
import sys
import time
from typing import TYPE_CHECKING

from perfcopilot_goals.cli.terminal import Unfailing, echo, printable

if TYPE_CHECKING:
    from perfcopilot_goals.defs.progress import Progress

BAR_CHARS = 24
REDRAW_SECONDS = 0.1
LINE_SECONDS = 5.0


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


def show_line(line: str) -> None:
    """Shows a line to the person who waits, on stderr, apart from the command's result."""
    echo(line, err=True)


def _bar(progress: "Progress") -> str:
    if not progress.total:
        return ""
    filled = BAR_CHARS * progress.done // progress.total
    return f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}]"
