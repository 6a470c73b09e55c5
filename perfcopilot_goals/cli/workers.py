"""Works on several groups of connections at once, each group in one process.

Processes and not threads, for three reasons. pandera's settings and Python's warning filter belong to a whole process.
Dagster listens to signals on a main thread only. And a sync that is not waiting for Asana computes.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from perfcopilot_goals.cli.terminal import echo, guarded_output

# As many as dagster.yaml allows at once.
WORKERS = 4
# A worker ends within a second of an interrupt.
REPEAT_SECONDS = 4.0

Names = Sequence[str]
# Does the job for these connections one after the other, and prints how each ended; returns their exit codes.
Work = Callable[[Names], list[int]]
OpenWork = Callable[[], AbstractContextManager[Work]]


def work_together(groups: Sequence[Names], open_work: OpenWork, preload: Sequence[str]) -> dict[str, int]:
    """The exit code of each connection. Each worker calls `open_work`, so it has to be a function of a module.

    The modules of `preload` are imported once for all workers. A worker that dies takes only its own group with it. On
    an interrupt no new group begins, and each running one ends as if it had been interrupted alone.
    """
    workers = _Workers(groups, open_work, preload)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return workers.work()
    except KeyboardInterrupt:
        workers.interrupt()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class _Workers:
    """The groups that wait, and the processes at work. A process is known by the pipe that its result comes on."""

    def __init__(self, groups: Sequence[Names], open_work: OpenWork, preload: Sequence[str]) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._open_work = open_work
        self._waiting = list(reversed(groups))
        self._processes: list[BaseProcess] = []
        self._busy: dict[Connection, tuple[BaseProcess, Names]] = {}

    def work(self) -> dict[str, int]:
        codes: dict[str, int] = {}
        for _ in range(min(WORKERS, len(self._waiting))):
            self._start()
        while self._busy:
            for line in wait(list(self._busy)):
                assert isinstance(line, Connection)
                process, names = self._busy.pop(line)
                try:
                    codes |= dict(zip(names, line.recv(), strict=True))
                except (EOFError, OSError):
                    codes |= dict.fromkeys(names, _code_of_dead(process, names))
                    if self._waiting:
                        self._start()
                    continue
                if self._waiting:
                    self._hand_out(line, process)
                else:
                    line.close()
        # A worker that is still ending when this process ends would get a SIGTERM.
        for process in self._processes:
            process.join()
        return codes

    def interrupt(self) -> None:
        """Interrupts them until they have ended: Dagster drops an interrupt that comes after a run's last step."""
        while alive := [process for process in self._processes if process.is_alive()]:
            for process in alive:
                with suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGINT)
            for process in alive:
                process.join(REPEAT_SECONDS)

    def _start(self) -> None:
        line, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._open_work), daemon=True)
        process.start()
        theirs.close()
        self._processes.append(process)
        self._hand_out(line, process)

    def _hand_out(self, line: Connection, process: BaseProcess) -> None:
        self._busy[line] = process, self._waiting.pop()
        with suppress(OSError):  # it died meanwhile, which shows when its result does not come
            line.send(self._busy[line][1])


def _serve(line: Connection, open_work: OpenWork) -> None:
    """A worker: works on each group that it is sent, until no more come."""
    # In a process group of its own, so that an interrupt comes from the parent alone, once. The handler is set because
    # a shell starts its background jobs with SIGINT ignored, and the worker must hear it even so.
    os.setpgrp()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The pipe's end is no error, so `open_work` does not hear of it.
    with suppress(KeyboardInterrupt), guarded_output(), open_work() as work, suppress(EOFError):
        while True:
            line.send(work(line.recv()))


def _code_of_dead(process: BaseProcess, names: Names) -> int:
    process.join()
    code = process.exitcode or 1
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    echo(
        f"The process that was at {', '.join(names)} {how}. Every table has its old rows or its new ones, whole; "
        f"sync again: perfcopilot-goals sync {' '.join(names)}",
        err=True,
    )
    return max(code, 1)
