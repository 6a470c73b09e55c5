"""Stand-ins for what may listen at a database's address: raw sockets that speak a little of Postgres' protocol."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

from perfcopilot_goals_tests.faults.proxy import Proxy

_REQUESTS_FOR_ENCRYPTION = (80877103, 80877104)


def refusal(code: str, words: str) -> bytes:
    """Postgres' ErrorResponse."""
    fields = "".join(f"{kind}{value}\0" for kind, value in zip("SVCM", ("FATAL", "FATAL", code, words), strict=True))
    body = fields.encode() + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4) + body


# A login without a password that succeeds.
WELCOME = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"


class Doorkeeper:
    """Listens in front of Postgres, and turns the first `times` clients away: it sends `answer`, or `keep`s the line.

    A client that got `WELCOME` gets `then` after its first statement. Then the line is closed. Later clients are let
    through to the server on `port`; without `times` nobody is.
    """

    def __init__(
        self, answer: bytes = b"", then: bytes = b"", *, times: int | None = None, port: int = 1, keep: bool = False
    ) -> None:
        self._answer, self._then, self._left, self._keep = answer, then, times, keep
        self._through = Proxy(port)
        self._kept: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.turned_away = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._listener, *self._kept):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._through.__exit__()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            serve: Callable[[socket.socket], None] = self._through.serve
            if self._left is None or self.turned_away < self._left:
                self.turned_away += 1
                serve = self._turn_away
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    def _turn_away(self, client: socket.socket) -> None:
        if self._keep:
            self._kept.append(client)
            return
        with contextlib.suppress(OSError), client:
            while int.from_bytes(client.recv(65536)[4:8]) in _REQUESTS_FOR_ENCRYPTION:
                client.sendall(b"N")
            client.sendall(self._answer)
            if self._answer == WELCOME:
                client.recv(65536)
                client.sendall(self._then)
