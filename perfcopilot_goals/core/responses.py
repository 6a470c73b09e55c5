"""Asana's JSON read field by field, with its types checked before pandas sees a value.

pandas and pandera would coerce: a gid that came as a number loses digits beyond 2^53, "false" becomes True, a date with
a time zone moves by a day, a vanished field reads as null. Here each of these is an `AsanaContractError` that names the
goal and the field, never the value. Which fields a table has is the business of the modules that build its rows.
"""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from perfcopilot_goals.domain.gid import is_gid
from perfcopilot_goals.errors import AsanaContractError

Response = Mapping[str, Any]

# What Postgres cannot hold: U+0000 in any text, and surrogates, which have no UTF-8. json.loads lets both pass.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text with every character that Postgres cannot hold replaced by U+FFFD; its length stays."""
    return _UNSTORABLE.sub("\ufffd", text)


def parse_gid(answer: Response) -> str:
    """The object's own gid: a string of ASCII digits, kept as it came, leading zeros too."""
    gid = answer.get("gid")
    if not is_gid(gid):
        raise AsanaContractError(f"Asana sent an object whose gid is not a string of digits but {_kind(gid)}")
    return gid


def parse_text(answer: Response, field: str) -> str:
    """A text that must be there."""
    value = _read(answer, field)
    if not isinstance(value, str):
        raise _unexpected(answer, field, value, "text")
    return storable(value)


def parse_optional_text(answer: Response, field: str) -> str | None:
    """A text or null; the key itself must be there, or a field that Asana dropped would read as null."""
    return None if _read(answer, field) is None else parse_text(answer, field)


def parse_optional_date(answer: Response, field: str) -> dt.date | None:
    """A date written `YYYY-MM-DD`, or null."""
    value = _read(answer, field)
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise _unexpected(answer, field, value, "a date written YYYY-MM-DD")


def parse_optional_object(answer: Response, field: str) -> Response | None:
    """A nested object, or null."""
    value = _read(answer, field)
    if value is None or isinstance(value, dict):
        return value
    raise _unexpected(answer, field, value, "an object")


def parse_owner_gid(answer: Response) -> str | None:
    """The owner's gid; null where nobody owns the goal."""
    owner = parse_optional_object(answer, "owner")
    if owner is None:
        return None
    if not is_gid(owner.get("gid")):
        raise _unexpected(answer, "owner.gid", owner.get("gid"), "a string of digits")
    return parse_gid(owner)


def parse_status_type(answer: Response) -> str | None:
    """The status word of the latest posted update; null where none was posted."""
    update = parse_optional_object(answer, "current_status_update")
    # Under the goal's gid, so that an error names the goal.
    return None if update is None else parse_optional_text({**update, "gid": answer.get("gid")}, "status_type")


def _read(answer: Response, field: str) -> Any:
    if field not in answer:
        raise AsanaContractError(
            f"{_told(answer)}: field {field} was asked for and did not come. "
            "Reading it as empty could drop goals, so nothing was written"
        )
    return answer[field]


def _unexpected(answer: Response, field: str, value: Any, wanted: str) -> AsanaContractError:
    return AsanaContractError(f"{_told(answer)}: field {field} is {_kind(value)}, not {wanted}")


def _told(answer: Response) -> str:
    # What stands where a gid belongs may be any text, so it is repeated only when it is one.
    gid = answer.get("gid")
    return f"object {gid:.40}" if is_gid(gid) else "an object without a gid"


def _kind(value: Any) -> str:
    return {str: "other text", dict: "an object", list: "a list", type(None): "null"}.get(
        type(value), type(value).__name__
    )
