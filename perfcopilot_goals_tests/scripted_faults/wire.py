"""Responses that break on the way: cut, reset, dripped, compressed wrongly, or never sent.

Pauses end early when the sandbox closes. A `Raw` response always ends its line.
"""

import gzip
from collections.abc import Iterator

from perfcopilot_goals.sandbox.exchange import Fault, Raw, Request, Response
from perfcopilot_goals_tests.scripted_faults.responses import gzipped

# Long enough for the client to read the bytes before the reset arrives.
SETTLE_SECONDS = 0.05


def cut_body(kept_bytes: int | None = None) -> Fault:
    """Content-Length promises the whole body, but only half of it or `kept_bytes` come. Then an orderly close."""
    return lambda _, response: Raw(response.status, [response.head() + _first(response.body, kept_bytes)])


def reset(kept_bytes: int | None = None) -> Fault:
    """As `cut_body`, but with a reset at the end."""
    return lambda _, response: Raw(
        response.status, [response.head() + _first(response.body, kept_bytes), SETTLE_SECONDS], is_reset=True
    )


def chunked_without_end() -> Fault:
    """The whole body as one chunk, the closing chunk missing."""

    def fault(_: Request, response: Response) -> Raw:
        head = response.head("Transfer-Encoding: chunked")
        return Raw(response.status, [head + b"%x\r\n%s\r\n" % (len(response.body), response.body)])

    return fault


def cut_gzip(kept_bytes: int | None = None) -> Fault:
    """Half of a gzip stream, ended by a close. No Content-Length gives it away."""

    def fault(_: Request, response: Response) -> Raw:
        packed = gzipped(response)
        return Raw(response.status, [packed.head("Connection: close") + _first(packed.body, kept_bytes)])

    return fault


def gzip_bomb(plain_bytes: int = 200 * 2**20) -> Fault:
    """A small body that unpacks to this many bytes of valid JSON."""
    packed = gzip.compress(b'{"data":[],"next_page":null,"filler":"' + b" " * plain_bytes + b'"}', 9)
    return lambda _, response: Response(200, packed, {**response.headers, "Content-Encoding": "gzip"})


def drip(seconds: float, head_too: bool = False) -> Fault:
    """The body byte by byte, with a pause before each byte. With `head_too`, the head as well."""

    def steps(response: Response) -> Iterator[bytes | float]:
        head = response.head()
        if not head_too:
            yield head
        for byte in (head if head_too else b"") + response.body:
            yield seconds
            yield bytes([byte])

    return lambda _, response: Raw(response.status, steps(response))


def head_only(seconds: float = 60.0) -> Fault:
    """Status and headers, then nothing."""
    return lambda _, response: Raw(response.status, [response.head(), seconds])


def silence(seconds: float = 60.0) -> Fault:
    """No response at all; the line stays open that long."""
    return lambda _, __: Raw(None, [seconds])


def hang_up() -> Fault:
    """The line is closed without a response."""
    return lambda _, __: Raw(None, [])


def close_after() -> Fault:
    """The regular response in full. Then the kept-alive line is closed, without a header that announces it."""
    return lambda _, response: Raw(response.status, [response.encode()])


def _first(body: bytes, kept_bytes: int | None) -> bytes:
    return body[: len(body) // 2 if kept_bytes is None else kept_bytes]
