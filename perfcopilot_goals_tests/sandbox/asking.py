"""How these tests ask the sandbox: a plain GET, a list over all its pages, bytes on a socket; and a clock to move.

Add a way of asking here when two test files need it. The product's own client is not used here; it has its own tests.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from perfcopilot_goals.sandbox import Sandbox


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def ask(asana: Sandbox, path: str, *, token: str | None = None, method: str = "GET", **query: Any) -> requests.Response:
    """Send one request on a new line; redirects are not followed."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            asana.base_url + path,
            params=query,
            headers={"Authorization": f"Bearer {token or asana.token}"},
            allow_redirects=False,
            timeout=10,
        )


def message_of(response: requests.Response) -> str:
    """The message of Asana's error envelope."""
    message: str = response.json()["errors"][0]["message"]
    return message


def pages(asana: Sandbox, path: str, **query: Any) -> Iterator[Any]:
    """The bodies of a list's pages, following offsets."""
    body = ask(asana, path, **query).json()
    yield body
    while body.get("next_page"):
        body = ask(asana, path, **query, offset=body["next_page"]["offset"]).json()
        yield body


def rows(asana: Sandbox, path: str, **query: Any) -> list[Any]:
    return [row for body in pages(asana, path, **query) for row in body["data"]]


@contextmanager
def asked(asana: Sandbox, path: str) -> Iterator[socket.socket]:
    """A socket on which one request was sent. The test reads what comes back."""
    with socket.create_connection(("127.0.0.1", asana.port), timeout=5) as line:
        send(line, asana, path)
        yield line


def send(line: socket.socket, asana: Sandbox, path: str) -> None:
    line.sendall(
        f"GET /api/1.0{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {asana.token}\r\n\r\n".encode()
    )


def read_to_the_end(connection: socket.socket) -> bytes:
    received = b""
    while more := connection.recv(65536):
        received += more
    return received
