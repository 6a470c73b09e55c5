"""Whole responses that are wrong: other statuses, foreign bodies, wrong headers, late ones.

Lists that mislead about their pages are in `pages`, responses that break off in `wire`.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from perfcopilot_goals.sandbox.exchange import JSON_TYPE, Fault, Raw, Request, Response, encode_json, error_response

HTML = b"<!DOCTYPE html><html><head><title>Asana</title></head><body><h1>Please log in</h1></body></html>"


def status(code: int, message: str = "Something went wrong", *, retry_after: str | None = None) -> Fault:
    """Asana's error envelope. `retry_after` is sent as it is, sensible or not."""
    response = error_response(code, message)
    return _always(response if retry_after is None else response.with_header("Retry-After", retry_after))


def reply(code: int, body: bytes = b"", *, content_type: str = JSON_TYPE, **headers: str) -> Fault:
    """Any status and any bytes. Further headers by keyword, `_` for `-`: `Retry_After="5"`, `Location="/login"`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _always(Response(code, body, {"Content-Type": content_type, **named}))


def html(code: int = 200) -> Fault:
    """A page for people: what a load balancer or a login wall sends."""
    return reply(code, HTML, content_type="text/html; charset=utf-8")


def deep_json(depth: int = 100_000) -> Fault:
    """A list in a list in a list, well-formed and too deep for a recursive parser."""
    return reply(200, b'{"data":' + b"[" * depth + b"]" * depth + b"}")


def slow(seconds: float) -> Fault:
    """The regular response, late."""
    return lambda _, response: response.after(seconds)


def header(name: str, value: str) -> Fault:
    """The regular response with one header set."""
    return lambda _, response: response.with_header(name, value)


def charset(name: str) -> Fault:
    """The regular UTF-8 bytes under another label."""
    return header("Content-Type", f"application/json; charset={name}")


def edit(change: Callable[[Any], Any]) -> Fault:
    """The regular response with its decoded body passed through `change`."""
    return lambda _, response: with_json(response, change(json.loads(response.body)))


def without(key: str) -> Fault:
    """The regular response without a top-level key: `data`, `next_page`."""
    return edit(lambda body: {name: value for name, value in body.items() if name != key})


def compressed() -> Fault:
    """The regular response as gzip, if the request accepts that."""
    return lambda request, response: (
        gzipped(response) if "gzip" in request.headers.get("Accept-Encoding", "") else response
    )


def closed(workspace_gid: str) -> Fault:
    """403 to requests about this workspace: the token's user may not read it."""
    refused = error_response(403, "You do not have access to this workspace.")

    def fault(request: Request, response: Response) -> Response:
        named = (request.query.get("workspace"), request.path.removeprefix("/workspaces/"))
        return refused if workspace_gid in named else response

    return fault


def in_turn(*faults: Fault) -> Fault:
    """Applies each fault to the result of the one before. A fault that breaks the wire ends the series."""

    def apply(request: Request, response: Response) -> Response | Raw:
        outcome: Response | Raw = response
        for fault in faults:
            if isinstance(outcome, Raw):
                break
            outcome = fault(request, outcome)
        return outcome

    return apply


def with_json(response: Response, body: object) -> Response:
    """The response with another body."""
    return replace(response, body=encode_json(body))


def gzipped(response: Response) -> Response:
    """The response with its body compressed."""
    packed = replace(response, body=gzip.compress(response.body, 1))
    return packed.with_header("Content-Encoding", "gzip")


def _always(response: Response) -> Fault:
    return lambda _request, _regular: response
