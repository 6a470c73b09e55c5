"""Certificates made by the `openssl` command, and a server behind one. Tests skip visibly where it is not installed."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

EMPTY_LIST = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n{"data":[],"next_page":null}'
)

CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = {name}
basicConstraints = critical, CA:true
extendedKeyUsage = {purpose}
"""


def make_certificate(
    folder: Path,
    name: str,
    first_day: str = "20200101",
    last_day: str = "20490101",
    *,
    purpose: str = "serverAuth",
    issuer: Path | None = None,
) -> Path:
    """A certificate with its key in one file. `name` is a subjectAltName, such as `IP:127.0.0.1`.

    It is signed by `issuer`, another such file, or by itself.
    """
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed, so there is no certificate to test with")
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(CONFIG.format(folder=folder, name=name, purpose=purpose))
    key, request, certificate = folder / "key.pem", folder / "request.pem", folder / "certificate.pem"
    subject = f"/CN=stand-in of {folder.name}"
    _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", subject)
    signed_by = ("-selfsign", "-keyfile", key) if issuer is None else ("-cert", issuer, "-keyfile", issuer)
    _openssl(
        *("ca", "-batch", "-notext", "-config", folder / "ca.cnf", "-in", request, *signed_by),
        *("-out", certificate, "-startdate", f"{first_day}000000Z", "-enddate", f"{last_day}000000Z"),
    )
    whole = folder / "whole.pem"
    whole.write_text(certificate.read_text() + key.read_text())
    return whole


def _openssl(*words: object) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30)


@dataclass
class TLSServer:
    """Sends each client the same bytes, at once or with a pause before each. Counts connections and requests."""

    port: int
    connections: int = 0
    requests: int = 0
    received: bytearray = field(default_factory=bytearray)

    @property
    def base_url(self) -> str:
        return f"https://127.0.0.1:{self.port}/api/1.0"


@contextmanager
def tls_server(certificate: Path, response: bytes, pause_seconds: float = 0.0) -> Iterator[TLSServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    server = TLSServer(listener.getsockname()[1])
    closing = threading.Event()

    def serve_one(plain: socket.socket) -> None:
        # The client may refuse the certificate or leave in the middle: that is what is tested.
        with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
            connection.settimeout(10)
            while request := connection.recv(65536):
                server.received += request
                server.requests += request.count(b"\r\n\r\n")
                for start in range(0, len(response), 1 if pause_seconds else len(response)):
                    if closing.wait(pause_seconds):
                        return
                    connection.sendall(response[start : start + (1 if pause_seconds else len(response))])

    def listen() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                server.connections += 1
                threading.Thread(target=serve_one, args=(plain,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield server
        time.sleep(0.05)  # a second attempt, which must not happen, would come now
    finally:
        closing.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
