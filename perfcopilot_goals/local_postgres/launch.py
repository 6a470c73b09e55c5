"""The command line of the local Postgres: its settings, its port, its log.

Add here what the server gets when it starts. `process` sees whether it came up.
"""

import os
import socket

from perfcopilot_goals.local_postgres.files import ServerFiles, write_private
from perfcopilot_goals.local_postgres.locks import locked
from perfcopilot_goals.local_postgres.programs import PROGRAM_SECONDS, find_programs, popen

LOG_BYTES = 4_000_000
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    # An error's message, detail and statement can quote a goal's text. `log` leaves errors out and keeps what is about
    # the server itself. The other settings matter if somebody lowers that level while looking for something.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
}


def launch(files: ServerFiles, use_last_port: bool) -> int:
    """Start a server on a free port without waiting for it. Returns the log's length before the start."""
    # No process of our server lives, so the file names one that is gone. If another program has that number now,
    # Postgres would refuse to start. It still notices data in use, by its shared memory.
    (files.data / "postmaster.pid").unlink(missing_ok=True)
    if files.log.exists() and files.log.stat().st_size > LOG_BYTES:
        files.log.replace(files.log.with_name("server.log.1"))
    settings = {**_SETTINGS, "port": str(_free_port(files, use_last_port))}
    server = [str(find_programs(files) / "postgres"), "-D", str(files.data)]
    server += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        length = os.fstat(log).st_size
        with locked(files.alive_lock) as alive:
            # The shell ends at once and leaves the server to process 1. So it is no child of ours and outlives us. It
            # has only these two of our files open, so a program that reads our output to its end does not wait for it.
            popen(files, ["/bin/sh", "-c", '"$@" >&2 &', "sh", *server], log, alive).wait(PROGRAM_SECONDS)
        return length
    finally:
        os.close(log)


def _free_port(files: ServerFiles, use_last: bool) -> int:
    """The last port if it is free, so that a process with the old URL can go on after a crash or a stop."""
    note = files.base / "port"
    with socket.socket() as free:
        # As Postgres does: connections that have just ended do not keep the port.
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind(("127.0.0.1", int(note.read_text()) if use_last else 0))
        except (OSError, ValueError, OverflowError):
            free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    write_private(note, str(port))
    return port
