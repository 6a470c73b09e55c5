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
            self._stream.write(f"{printable(progress)}\n")
            self._stream.flush()
            return
        now = time.monotonic()
        is_done = progress.done == progress.total
        if not is_done and now - self._shown_at < (REDRAW_SECONDS if self._is_terminal else LINE_SECONDS):
            return
        self._shown_at = now
        if self._is_terminal:
            self._stream.write(f"\r\x1b[K{_bar(progress)} {printable(str(progress))}")
            self._is_drawn = True
        else:
            self._stream.write(f"{printable(str(progress))}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Removes the bar, so that what is printed next has a line to itself."""
        if self._is_drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._is_drawn = False


def show_line(line: str) -> None:
    """Shows a line to the person who waits, on stderr, apart from the command's result."""
    echo(line, err=True)


def _bar(progress: "Progress") -> str:
    if not progress.total:
        return ""
    filled = BAR_CHARS * progress.done // progress.total
    return f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}]"
