"""Groups of connections worked on at once, each group by one process.

Processes and not threads: pandera's settings and Python's filter of warnings belong to a whole process, Dagster listens
to signals on a main thread only, and a sync that waits for nothing computes.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import click

# As many as dagster.yaml lets run at once.
WORKERS = 4
# A worker ends within a second of an interrupt.
REPEAT_SECONDS = 4.0

Names = Sequence[str]
# Does the job for these connections one after the other, telling of each; returns their exit codes.
Work = Callable[[Names], list[int]]
OpenWork = Callable[[], AbstractContextManager[Work]]


def work_together(groups: Sequence[Names], open_work: OpenWork, preload: Sequence[str]) -> dict[str, int]:
    """The exit code of each connection. `open_work` is called in each worker, so it has to be of a module.

    What the workers import, `preload`, is imported once for all of them. A worker that dies takes only its own group
    with it. On an interrupt nothing new begins, and what is under way ends as it would on an interrupt of its own.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    waiting = list(reversed(groups))
    busy: dict[Connection, tuple[BaseProcess, Names]] = {}
    codes: dict[str, int] = {}

    def start() -> None:
        line, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, open_work), daemon=True)
        process.start()
        theirs.close()
        hand_out(line, process)

    def hand_out(line: Connection, process: BaseProcess) -> None:
        busy[line] = process, waiting.pop()
        with suppress(OSError):  # it died meanwhile, which the answer that does not come will show
            line.send(busy[line][1])

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for _ in range(min(WORKERS, len(groups))):
            start()
        while busy:
            for line in wait(list(busy)):
                assert isinstance(line, Connection)
                process, names = busy.pop(line)
                try:
                    codes |= dict(zip(names, line.recv(), strict=True))
                except (EOFError, OSError):
                    codes |= dict.fromkeys(names, _code_of_dead(process, names))
                    if waiting:
                        start()
                    continue
                if waiting:
                    hand_out(line, process)
                else:
                    line.close()
    except KeyboardInterrupt:
        _interrupt([process for process, _ in busy.values()])
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return codes


def _serve(line: Connection, open_work: OpenWork) -> None:
    """A worker: what it is sent it works on, until nothing more comes."""
    # A Ctrl-C reaches it from the parent alone, once.
    os.setpgrp()
    with suppress(KeyboardInterrupt, EOFError), open_work() as work:
        while True:
            line.send(work(line.recv()))


def _code_of_dead(process: BaseProcess, names: Names) -> int:
    process.join()
    code = process.exitcode or 1
    how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
    click.echo(
        f"The process that was at {', '.join(names)} {how}. Every table has its old rows or its new ones, whole; "
        f"sync again: perfcopilot-goals sync {' '.join(names)}",
        err=True,
    )
    return max(code, 1)


def _interrupt(workers: list[BaseProcess]) -> None:
    """Tell them until they have ended: Python drops an interrupt that falls into a callback."""
    while alive := [process for process in workers if process.is_alive()]:
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid or 0, signal.SIGINT)
        for process in alive:
            process.join(REPEAT_SECONDS)
