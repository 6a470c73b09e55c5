"""Ports of this machine: whether one is free, before a server is started on it."""

import errno
import socket

from perfcopilot_goals.errors import GoalsConfigError

LOOPBACK = "127.0.0.1"


def check_port(port: int, other: str, host: str = LOOPBACK) -> None:
    """Fails before anything starts if no server can listen there; `other` is the command with another port.

    Dagster would take another port than the one that people open, and not say so.
    """
    try:
        _listen(port, host)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        reason = getattr(error, "strerror", "that is no host's name")
        what = f"port {port} is in use" if number == errno.EADDRINUSE else f"cannot listen on {host}:{port}: {reason}"
        action = f"Name another: perfcopilot-goals {other}"
        if number not in (errno.EADDRINUSE, errno.EACCES):
            action = "Name an address of this machine"
        raise GoalsConfigError(what, action=action) from None


def free_port(wanted: int = 0) -> int:
    """A port of loopback that is free now: the wanted one, if it is."""
    try:
        return _listen(wanted, LOOPBACK)
    except (OSError, OverflowError):
        return _listen(0, LOOPBACK)


def _listen(port: int, host: str) -> int:
    """Takes the port for a moment, or any free one for 0; `OSError` or `UnicodeError` says why that does not work."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As web servers do: a port that only waits for its last connections to time out is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        taken: int = probe.getsockname()[1]
    return taken
