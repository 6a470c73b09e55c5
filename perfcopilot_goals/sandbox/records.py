"""The world's objects as Asana's full JSON, and the part of them that `opt_fields` or Asana's default selects.

Add a key here when the product starts to read it. Most of the others that Asana's published record has are left out.

`opt_fields` replaces the default selection; it never adds to it. The GID always comes. A bare object (`owner`) gives
its GID and resource type. A dotted path (`owner.name`) gives its GID and that field, and then the bare name adds
nothing. Unknown names are dropped silently, and a path through null gives null.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeAlias

from perfcopilot_goals.sandbox.exchange import Json
from perfcopilot_goals.sandbox.world import Goal, Person, World

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


NAMED = parse("resource_type,name")
USER_FULL = parse("resource_type,name,email,workspaces.resource_type,workspaces.name")
# The compact goal has no status, so the product must name its path in `opt_fields`.
GOAL_COMPACT = parse("resource_type,name,owner.resource_type,owner.name")
GOAL_FULL = parse(
    "resource_type,name,html_notes,due_on,start_on,status,owner.resource_type,owner.name,workspace.resource_type,"
    "workspace.name,current_status_update.resource_type,current_status_update.resource_subtype,"
    "current_status_update.title"
)
RELATIONSHIP_COMPACT = parse(
    "resource_type,resource_subtype,contribution_weight,supporting_resource.resource_type,supporting_resource.name"
)


def user_record(person: Person, worlds: Iterable[World]) -> Json:
    """A user in these workspaces. If Asana keeps the address back, there is no `email` key at all."""
    record = _named("user", person.gid, person.name) | {"workspaces": [workspace_record(world) for world in worlds]}
    return record if person.email is None else record | {"email": person.email}


def workspace_record(world: World) -> Json:
    """The workspace, as its own object."""
    return _named("workspace", world.workspace_gid, world.workspace_name)


def goal_record(world: World, goal: Goal) -> Json:
    """The whole goal. An owner who left the workspace keeps their GID, under Asana's name for such people."""
    owner = None
    if goal.owner_gid is not None:
        person = world.people.get(goal.owner_gid)
        owner = _named("user", goal.owner_gid, person.name if person else "Former member")
    return {
        "gid": goal.gid,
        "resource_type": "goal",
        "name": goal.name,
        "html_notes": goal.html_notes,
        "due_on": goal.due_on,
        "start_on": goal.start_on,
        "status": goal.status,
        "current_status_update": _status_update(goal),
        "owner": owner,
        "workspace": workspace_record(world),
    }


def relationship_record(world: World, parent: Goal, child: Goal) -> Json:
    """A sub-goal's link. Links made by the API have weight 0: it does not count in roll-ups, but it is a sub-goal."""
    return {
        "gid": _linked_gid("relationship", parent.gid, child.gid),
        "resource_type": "goal_relationship",
        "resource_subtype": "subgoal",
        "contribution_weight": 0,
        "supporting_resource": goal_record(world, child),
        "supported_goal": goal_record(world, parent),
    }


def _status_update(goal: Goal) -> Json | None:
    if goal.status_type is None:
        return None
    return {
        "gid": _linked_gid("status", goal.gid, goal.status_type),
        "resource_type": "status_update",
        "resource_subtype": "goal_status_update",
        "title": "Status update",
        "status_type": goal.status_type,
        "created_at": "2026-03-01T09:00:00.000Z",
    }


def _named(resource_type: str, gid: str, name: str) -> Json:
    return {"gid": gid, "resource_type": resource_type, "name": name}


def _linked_gid(*parts: str) -> str:
    """A 16-digit GID, always the same for the same parts, because the world does not store links as objects."""
    digest = blake2b("/".join(parts).encode("utf-8", "backslashreplace"), digest_size=8).digest()
    return f"13{int.from_bytes(digest) % 10**14:014d}"
