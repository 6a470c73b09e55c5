"""Ports of this machine: whether one is free, before a server is started on it."""

import socket

from perfcopilot_goals.errors import GoalsConfigError

LOOPBACK = "127.0.0.1"


def check_port(port: int, other: str, host: str = LOOPBACK) -> None:
    """Fails before anything starts; `other` is the command with another port.

    Dagster would take another port than the one that people open, and not say so.
    """
    if not is_free(port, host):
        raise GoalsConfigError(f"port {port} is in use", action=f"Name another: perfcopilot-goals {other}")


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As web servers do: a port that only waits for its last connections to time out is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port: int = free.getsockname()[1]
    return port
