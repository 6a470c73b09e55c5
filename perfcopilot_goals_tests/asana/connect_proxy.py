"""A company's proxy: opens tunnels (CONNECT) to a server on this machine, and records what it can read of them."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@dataclass
class ConnectProxy:
    """Leads every host name to `target`, as a proxy with its own name server may. `credentials` is `user:password`.

    `reply` is what it says to a CONNECT that it lets through, with a pause before each byte if there is one; the tunnel
    opens only after a reply of 200. `tunnel_pause_seconds` is the pause before each byte of the server's.
    """

    target: int
    credentials: str | None = None
    reply: bytes = ESTABLISHED
    reply_pause_seconds: float = 0.0
    tunnel_pause_seconds: float = 0.0
    port: int = 0
    heads: list[str] = field(default_factory=list)
    tunnelled: bytearray = field(default_factory=bytearray)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def seen(self) -> str:
        """All that a curious proxy could read."""
        return "".join(self.heads) + self.tunnelled.decode("latin-1")

    def serve_one(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.heads.append(head.decode("latin-1"))
        if self.credentials is not None:
            header = f"Proxy-Authorization: Basic {base64.b64encode(self.credentials.encode()).decode()}\r\n"
            if header not in self.heads[-1]:
                client.sendall(b'HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic realm="out"\r\n\r\n')
                return
        _send(client, self.reply, self.reply_pause_seconds)
        if not self.reply.startswith(b"HTTP/1.1 200"):
            return
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            down = threading.Thread(target=self._pass_down, args=(server, client), daemon=True)
            down.start()
            with suppress(OSError):
                while sent := client.recv(65536):
                    self.tunnelled += sent
                    server.sendall(sent)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            down.join()

    def _pass_down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while received := server.recv(65536):
                _send(client, received, self.tunnel_pause_seconds)
            client.shutdown(socket.SHUT_RDWR)


def _send(to: socket.socket, data: bytes, pause_seconds: float) -> None:
    step = 1 if pause_seconds else max(len(data), 1)
    for start in range(0, len(data), step):
        time.sleep(pause_seconds)
        to.sendall(data[start : start + step])


@contextmanager
def serving(proxy: ConnectProxy) -> Iterator[ConnectProxy]:
    """The running proxy, on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy.port = listener.getsockname()[1]

    def serve_one(client: socket.socket) -> None:
        with suppress(OSError), client:
            proxy.serve_one(client)

    def listen() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve_one, args=(client,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
