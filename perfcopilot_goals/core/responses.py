"""Parses Asana's JSON field by field, and checks its types before pandas sees a value.

pandas and pandera would coerce. A gid that came as a number loses digits beyond 2^53, and "false" becomes True. A date
with a time zone moves by a day, and a missing field reads as null. Here each of these is an `AsanaContractError`. It
names the object and the field, never the value; `response_to` adds the request. The modules that build a table's rows
choose its fields.
"""

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from perfcopilot_goals.domain.ids import is_gid
from perfcopilot_goals.errors import AsanaContractError

Response = Mapping[str, Any]

# What Postgres cannot hold: U+0000 in any text, and surrogates, which have no UTF-8. json.loads lets both pass.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@contextmanager
def response_to(request: str) -> Iterator[None]:
    """Adds to shape errors of the block which request it was, such as `GET /goals`, and that no block was changed."""
    try:
        yield
    except AsanaContractError as error:
        message = f"{request}: {error.message}; no block was changed"
        raise AsanaContractError(message, connection=error.connection, action=error.action) from None


def storable(text: str) -> str:
    """The text with U+FFFD for every character that Postgres cannot hold. Its length stays the same."""
    return _UNSTORABLE.sub("\ufffd", text)


def by_gid(responses: Iterable[Response]) -> dict[str, Response]:
    """The objects of a list by gid. One that came twice keeps its first place and its last content."""
    return {
        parse_gid(response, f"object number {place} of the list"): response
        for place, response in enumerate(responses, start=1)
    }


def parse_gid(response: Response, which: str = "an object", field: str = "gid") -> str:
    """The object's own gid: a string of ASCII digits, kept as it came, with leading zeros.

    If it is wrong, the error cannot name the object by it. So `which` and `field` say where the object stands.
    """
    gid = response.get("gid")
    if not is_gid(gid):
        kind = _kind(gid) if "gid" in response else "missing"
        raise AsanaContractError(f"{which}: field {field} is {kind}, not a string of digits")
    return gid


def parse_text(response: Response, field: str) -> str:
    """A text that must be there. `field` may be a path through objects, such as `current_status_update.title`."""
    value = _value_of(response, field)
    if not isinstance(value, str):
        raise _unexpected(response, field, value, "text")
    return storable(value)


def parse_optional_text(response: Response, field: str) -> str | None:
    """A text or null. The key itself must be there; otherwise a field that Asana dropped would read as null."""
    return None if _value_of(response, field) is None else parse_text(response, field)


def parse_optional_date(response: Response, field: str) -> dt.date | None:
    """A date written `YYYY-MM-DD`, or null."""
    value = _value_of(response, field)
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise _unexpected(response, field, value, "a date written YYYY-MM-DD")


def parse_optional_object(response: Response, field: str) -> Response | None:
    """A nested object, or null."""
    value = _value_of(response, field)
    if value is None or isinstance(value, dict):
        return value
    raise _unexpected(response, field, value, "an object")


def parse_object_gid(response: Response, field: str) -> str | None:
    """The gid of a nested object, or None if that is null."""
    nested = parse_optional_object(response, field)
    return None if nested is None else parse_gid(nested, _which(response), f"{field}.gid")


def parse_owner_gid(response: Response) -> str | None:
    """The owner's gid, or None if nobody owns the goal."""
    return parse_object_gid(response, "owner")


def parse_status_type(response: Response) -> str | None:
    """The status word of the latest posted update, or None if none was posted."""
    update = parse_optional_object(response, "current_status_update")
    return None if update is None else parse_optional_text(response, "current_status_update.status_type")


def _value_of(response: Response, field: str) -> Any:
    value: Any = response
    for name in field.split("."):
        if not isinstance(value, Mapping) or name not in value:
            raise AsanaContractError(f"{_which(response)}: field {field} was asked for but did not come")
        value = value[name]
    return value


def _unexpected(response: Response, field: str, value: Any, wanted: str) -> AsanaContractError:
    return AsanaContractError(f"{_which(response)}: field {field} is {_kind(value)}, not {wanted}")


def _which(response: Response) -> str:
    # The gid's field may hold any text, so it is repeated only if it is a gid.
    gid = response.get("gid")
    return f"object {gid:.40}" if is_gid(gid) else "an object without a gid"


_KINDS = {
    str: "other text",
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)
