"""Reads a form: its fields as text, its file as bytes, and whether it has the key of the page it claims to be from."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from perfcopilot_goals.admin.access import Denied, Visitor
from perfcopilot_goals.core.responses import storable

BODY_BYTES = 16 * 2**20
# What is above the limit is read and dropped up to here, so that the browser gets to read the answer.
DROPPED_BYTES = 256 * 2**20
_FIELDS = 2_000


@dataclass(frozen=True)
class Form:
    """The fields of a form by name, in order, and its file if it has one."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    file: bytes | None = None

    def get(self, name: str) -> str:
        """The field's value; "" if it is missing."""
        return self.fields.get(name, [""])[0]

    def all(self, name: str) -> Sequence[str]:
        """Every value of the field."""
        return self.fields.get(name, [])

    def has(self, name: str) -> bool:
        """Whether the field was sent, as a checked box is."""
        return name in self.fields


async def read_form(request: Request, visitor: Visitor) -> Form:
    """The form of the request, in memory; status 413 if it is too large, `Denied` if it has not the visitor's key."""
    limited = Request(request.scope, _measured(request.receive))
    fields: dict[str, list[str]] = {}
    content = None
    async with limited.form(max_files=1, max_fields=_FIELDS, max_part_size=BODY_BYTES) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                content = await value.read()
            else:
                fields.setdefault(name, []).append(storable(value))
    given = Form(fields, content)
    if not hmac.compare_digest(given.get("form_key").encode("utf-8", "replace"), visitor.form_key.encode()):
        raise Denied("The page that you sent this form from is out of date; nothing was changed. Open the page again.")
    return given


def _measured(receive: Receive) -> Receive:
    """Measures the body as it comes: a declared length may be missing or wrong."""
    size = 0

    async def read() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > BODY_BYTES:
            while message.get("more_body") and size < DROPPED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
            raise HTTPException(
                413,
                f"More than {BODY_BYTES // 2**20} MB were sent, so nothing was read. A larger roster: "
                "perfcopilot-goals employee import",
            )
        return message

    return read
