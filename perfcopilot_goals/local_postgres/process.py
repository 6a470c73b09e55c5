"""The local Postgres as a process: its command line, asking it, starting it, waiting for it, stopping it.

Add here what the server gets when it starts, and what the holder of the start lock does to it. The package itself
decides who may do what, and when.
"""

import os
import socket
import time
from pathlib import Path
from typing import Literal

import psycopg

from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.local_postgres.files import ServerFiles, write_private
from perfcopilot_goals.local_postgres.locks import is_locked, locked
from perfcopilot_goals.local_postgres.programs import find_programs, run

# Enough to recover from a crash, or to shut down with a long checkpoint.
WAIT_SECONDS = 30.0
_PORT_TRIES = 5
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

Response = Literal["serves", "refuses", "silent"]


def is_alive(files: ServerFiles) -> bool:
    """Whether any process of the server lives, whether it starts, serves or shuts down."""
    return is_locked(files.alive_lock)


def ask(files: ServerFiles, database: str = "postgres") -> tuple[Response, int]:
    """How the server of this data responds to our password, and its port."""
    try:
        lines = (files.data / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        port = int(lines[3]) if lines[7].strip() == "ready" else 0
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        port = 0
    if port == 0:
        return "silent", 0
    try:
        with connect(files, port, database) as conn:
            row = conn.execute("select current_setting('data_directory')").fetchone()
    except psycopg.Error as error:
        # libpq has no SQLSTATE for a connection that failed. The text is English, because initdb ran with --locale=C.
        return ("refuses" if "authentication failed" in str(error) else "silent"), port
    # A copied home names the original's port and has its password: the server there is not ours.
    return ("serves" if row == (str(files.data),) else "silent"), port


def connect(files: ServerFiles, port: int, database: str = "postgres") -> psycopg.Connection:
    """A connection in autocommit mode. It sets everything that the caller's PG variables could change."""
    return psycopg.connect(
        host="127.0.0.1", hostaddr="127.0.0.1", port=port, dbname=database,
        user="postgres", password=files.password() or "lost",
        sslmode="disable", gssencmode="disable", connect_timeout=5, autocommit=True,
    )  # fmt: skip


def start(files: ServerFiles) -> int:
    """Start the server on its complete data and return its port once it serves. No process of it may live."""
    for attempt in range(_PORT_TRIES):
        length = _launch(files, use_last_port=attempt == 0)
        port = wait_until_serving(files)
        if port:
            return port
        lines = files.log.read_bytes()[length:].decode("utf-8", "replace").splitlines()
        taken = [line for line in lines if "could not bind" in line]
        words = (taken or [line for line in lines if "FATAL" in line] or lines or ["it wrote nothing"])[-1]
        if not taken:
            break
    raise GoalsStoreError(f"local Postgres: it did not start: {words}; its log is {files.log}", "58000")


def _launch(files: ServerFiles, use_last_port: bool) -> int:
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
            run(files, Path("/bin/sh"), "-c", '"$@" >&2 &', "sh", *server, errors=log, inherited=(alive,))
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


def wait_until_serving(files: ServerFiles) -> int:
    """The port, once the running server accepts our password; 0 once no process of it lives."""
    deadline = time.monotonic() + WAIT_SECONDS
    while is_alive(files):
        response, port = ask(files)
        if response == "serves":
            return port
        if response == "refuses":
            raise GoalsStoreError(
                f"local Postgres: its server runs but refuses the password in {files.password_file}; put the right one "
                f"back, or begin with an empty database: run perfcopilot-goals database-stop and delete {files.data}",
                "28P01",
            )
        if time.monotonic() > deadline:
            raise GoalsStoreError(
                f"local Postgres: its server has neither responded nor ended for {WAIT_SECONDS:.0f} seconds; try "
                f"again, or stop it with perfcopilot-goals database-stop; its log is {files.log}"
            )
        time.sleep(0.02)
    return 0


def stop(files: ServerFiles) -> None:
    """Stop the server even if it has connections, and wait until its last process has ended."""
    pg_ctl = find_programs(files) / "pg_ctl"
    for mode in ("fast", "immediate"):
        # We send no signal ourselves: the server's user can write the file with the process id, and we may be root.
        run(files, pg_ctl, "stop", "-D", str(files.data), "-m", mode, "-W")
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            if not is_alive(files):
                return
            time.sleep(0.01)
    raise GoalsStoreError(f"local Postgres: its server did not stop when asked; its log is {files.log}")
