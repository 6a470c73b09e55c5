"""A TCP proxy before Postgres. It counts a client's messages and can cut the line at any of them."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

# (number of the client's message, its type byte and text) -> what to do with it.
Decide = Callable[[int, bytes], str]
PASS, CUT, CUT_AFTER = "pass", "cut", "cut_after"
# Query, Parse, CopyData, CopyDone and CopyFail. All other messages of a client only continue one of these.
STATEMENTS = b"QPdcf"


class Proxy:
    """Stands between clients and the server on `port`. Statements are counted over all lines.

    `decide` may let a message pass, or cut both sides before it arrives. It may also cut them after the server has
    responded, so that the client never learns the result.
    """

    def __init__(self, port: int, decide: Decide = lambda number, message: PASS) -> None:
        self.decide = decide
        self.messages = 0
        self.cuts = 0
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._listener)

    def url(self, url: str) -> str:
        """The database's URL through the proxy."""
        return url.replace(f"127.0.0.1:{self._upstream[1]}", f"127.0.0.1:{self.port}")

    def reset(self, decide: Decide) -> None:
        """Start counting again, with another rule."""
        with self._lock:
            self.messages, self.cuts, self.decide = 0, 0, decide

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        """Carry one client to the server and back, until either ends."""
        server = socket.create_connection(self._upstream)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        muted = threading.Event()
        threading.Thread(target=self._answer, args=(server, client, muted), daemon=True).start()
        with contextlib.suppress(OSError):
            self._listen(client, server, muted)
        _close(client)
        _close(server)

    def _listen(self, client: socket.socket, server: socket.socket, muted: threading.Event) -> None:
        # The start-up packet has a length and no type; so has a request for encryption before it.
        stream = client.makefile("rb")
        while True:
            head = stream.read(4)
            if len(head) < 4:
                return
            body = stream.read(int.from_bytes(head) - 4)
            if int.from_bytes(body[:4]) in (80877103, 80877104):
                client.sendall(b"N")
                continue
            server.sendall(head + body)
            break
        while True:
            head = stream.read(5)
            if len(head) < 5:
                return
            message = head[:1] + stream.read(int.from_bytes(head[1:]) - 4)
            with self._lock:
                counts = message[:1] in STATEMENTS
                self.messages += counts
                result = self.decide(self.messages, message) if counts else PASS
                self.cuts += result != PASS
            if result == CUT:
                return
            if result == CUT_AFTER:
                muted.set()
            server.sendall(head + message[1:])

    def _answer(self, server: socket.socket, client: socket.socket, muted: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if muted.is_set():
                    # The server has responded, but the client never learns it.
                    break
                client.sendall(data)
        _close(client)
        _close(server)


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
