"""A real PgBouncer in front of the test server. Tests skip visibly where it is not installed."""

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (apt-get install pgbouncer)")


@contextmanager
def pgbouncer(url: str, **settings: object) -> Iterator[str]:
    """The database's URL by way of a PgBouncer with these settings, all others as it has them by default.

    A setting that is a path is a file, which is copied to where PgBouncer's user can read it.
    """
    assert PROGRAM is not None
    given = conninfo_to_dict(url)
    # It does not run as root.
    user = "nobody" if getpass.getuser() == "root" else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for key, value in settings.items():
            if isinstance(value, Path):
                settings[key] = shutil.copy(value, folder)
        lines = {
            "listen_addr": "127.0.0.1",
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": folder / "users",
            "logfile": folder / "log",
            **settings,
        }
        databases = f"[databases]\n* = host=127.0.0.1 port={given['port']}\n[pgbouncer]\n"
        (folder / "ini").write_text(databases + "".join(f"{key} = {value}\n" for key, value in lines.items()))
        (folder / "users").write_text(f'"{given["user"]}" "{given["password"]}"\n')
        if user:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, user)
        pooler, port = _start(folder / "ini", user)
        try:
            yield url.replace(f":{given['port']}/", f":{port}/")
        finally:
            pooler.kill()
            pooler.wait()


def _start(configuration: Path, user: str | None) -> tuple["subprocess.Popen[bytes]", int]:
    """The running pooler and its port. Somebody else may take a port that was free, so up to three are tried."""
    regular = configuration.read_text()
    for _ in range(3):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        configuration.write_text(f"{regular}listen_port = {port}\n")
        pooler = subprocess.Popen(
            [str(PROGRAM), "--quiet", str(configuration)],
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if _has_started(port, pooler):
            return pooler, port
        pooler.kill()
        pooler.wait()
    raise AssertionError("pgbouncer did not start")


def _has_started(port: int, pooler: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + 20
    while pooler.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            # Not where somebody else answers at that port.
            return pooler.poll() is None
    return False
