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
# The processes, by the pipe on which a worker gets names and sends exit codes.
Workers = dict[Connection, BaseProcess]


def work_together(groups: Sequence[Names], open_work: OpenWork, preload: Sequence[str]) -> dict[str, int]:
    """The exit code of each connection. Each worker calls `open_work`, so it has to be a function of a module.

    The modules of `preload` are imported once for all workers. A worker that dies takes only its own group with it. On
    an interrupt no new group begins, and each running one ends as if it had been interrupted alone.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    workers: Workers = {}
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _hand_out(groups, open_work, workers)
    except KeyboardInterrupt:
        _interrupt(workers)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _hand_out(groups: Sequence[Names], open_work: OpenWork, workers: Workers) -> dict[str, int]:
    codes: dict[str, int] = {}
    waiting = list(reversed(groups))
    idle: list[Connection] = []
    busy: dict[Connection, Names] = {}
    while waiting or busy:
        while waiting and len(busy) < WORKERS:
            line = idle.pop() if idle else _start(open_work, workers)
            busy[line] = waiting.pop()
            with suppress(OSError):  # it died meanwhile, which shows when its result does not come
                line.send(busy[line])
        for ready in wait(list(busy)):
            assert isinstance(ready, Connection)
            names = busy.pop(ready)
            try:
                codes |= dict(zip(names, ready.recv(), strict=True))
                idle.append(ready)
            except (EOFError, OSError):
                codes |= dict.fromkeys(names, _code_of_dead(workers[ready], names))
        while idle and not waiting:
            idle.pop().close()
    # A worker that is still ending when this process ends would get a SIGTERM.
    for process in workers.values():
        process.join()
    return codes


def _start(open_work: OpenWork, workers: Workers) -> Connection:
    context = multiprocessing.get_context("forkserver")
    line, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, open_work), daemon=True)
    process.start()
    workers[line] = process
    theirs.close()
    return line


def _interrupt(workers: Workers) -> None:
    """Interrupts them until they have ended: Dagster drops an interrupt that comes after a run's last step."""
    while alive := [process for process in workers.values() if process.is_alive()]:
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid or 0, signal.SIGINT)
        for process in alive:
            process.join(REPEAT_SECONDS)


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
