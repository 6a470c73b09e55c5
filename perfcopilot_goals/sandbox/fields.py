"""`opt_fields`: which parts of a record an answer holds.

Asana replaces its default selection by the one asked for; it never adds to it. The gid always comes. A bare object
(`owner`) gives its gid and resource type, a dotted path (`owner.name`) its gid and that field; beside a dotted path the
bare name adds nothing. Unknown names are dropped without a word, and a path through null gives null. Which fields
exist is the record's business (`records`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from perfcopilot_goals.sandbox.exchange import Json

Selection: TypeAlias = Mapping[str, "Selection"]

BARE_OBJECT: Mapping[str, Mapping[str, Any]] = {"resource_type": {}}
_GROUP = re.compile(r"\(([^()]*)\)")


@lru_cache(maxsize=256)
def parse(opt_fields: str) -> Selection:
    """A tree of names from comma-separated paths, `(a|b)` groups and the `this.` prefix included."""
    tree: dict[str, Any] = {}
    for listed in opt_fields.split(","):
        for path in _expand(listed.strip()):
            below = tree
            for name in path.removeprefix("this.").split("."):
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
            continue  # a path into a plain value names nothing
        chosen[name] = _narrow(value, below)
    return chosen


def _narrow(value: Any, below: Selection) -> Any:
    if isinstance(value, list):
        return [_narrow(element, below) for element in value]
    if isinstance(value, dict):
        return select(value, below or BARE_OBJECT)
    return value


def _expand(path: str) -> list[str]:
    group = _GROUP.search(path)
    if group is None:
        return [path]
    options = group.group(1).split("|")
    return [whole for option in options for whole in _expand(path[: group.start()] + option + path[group.end() :])]
