"""`opt_fields`: which parts of a record a response holds.

Asana replaces its default selection by the requested one; it never adds to it. The GID always comes. A bare object
(`owner`) gives its GID and resource type. A dotted path (`owner.name`) gives its GID and that field, and then the bare
name adds nothing. Unknown names are dropped silently, and a path through null gives null. `records` says which fields
exist.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from perfcopilot_goals.sandbox.exchange import Json

Selection: TypeAlias = Mapping[str, "Selection"]

BARE_OBJECT: Mapping[str, Mapping[str, Any]] = {"resource_type": {}}


@lru_cache(maxsize=256)
def parse(opt_fields: str) -> Selection:
    """The tree of names in comma-separated paths. Of what Asana understands, `(a|b)` and `this.` are left out."""
    tree: dict[str, Any] = {}
    for path in opt_fields.split(","):
        below = tree
        for name in path.strip().split("."):
            below = below.setdefault(name, {})
    return tree


def select(record: Json, selection: Selection) -> Json:
    """The chosen part of one record."""
    chosen: Json = {"gid": record["gid"]} if "gid" in record else {}
    for name, below in selection.items():
        if name not in record:
            continue
        value = record[name]
        if below and not isinstance(value, dict | list | None):
            continue  # a path into a plain value selects nothing
        chosen[name] = _narrow(value, below)
    return chosen


def _narrow(value: Any, below: Selection) -> Any:
    if isinstance(value, list):
        return [_narrow(element, below) for element in value]
    if isinstance(value, dict):
        return select(value, below or BARE_OBJECT)
    return value
