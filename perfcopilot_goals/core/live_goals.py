"""What has become of the goals that a block cites: the block's lines beside Asana's present goals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from perfcopilot_goals.core.block_comparison import LineResult
from perfcopilot_goals.core.mapping import map_status
from perfcopilot_goals.core.prompts import parse_line, safe_name
from perfcopilot_goals.core.responses import parse_owner_gid, parse_status_type, parse_text, response_to
from perfcopilot_goals.domain.ids import goal_permalink

# What is asked of Asana.
LIVE_FIELDS = ("name", "owner", "current_status_update.status_type")

UNCHANGED, CHANGED, GONE, NOT_SHOWN = "unchanged", "changed", "gone", "not_shown"


@dataclass(frozen=True)
class LiveGoal:
    """What has become of a cited goal or key result.

    `changes` has by `name`, `status` or `owner` what it was and what it is: names as a block shows them, owners' gids.
    """

    gid: str
    permalink: str
    result: str
    changes: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)


def compare_live(
    lines: Iterable[LineResult], goals: Mapping[str, Mapping[str, Any] | int], owner_gid: str | None
) -> list[LiveGoal]:
    """Each goal and key result that the lines are about once, in the order of the lines.

    `goals` has what Asana sent, or the status with which it refused. `owner_gid` is the employee's Asana user; None if
    they have none, and then owners are not compared. Who owns a key result is no part of a block.
    """
    found: dict[str, LiveGoal] = {}
    for line in lines:
        if line.gid is None:
            continue
        goal = goals[line.gid]
        if isinstance(goal, int):
            result, changes = (GONE if goal == 404 else NOT_SHOWN), {}
        else:
            with response_to(f"GET /goals/{line.gid}"):
                changes = _changes(line, goal, owner_gid if line.key_result_gid is None else None)
            result = CHANGED if changes else UNCHANGED
        if line.gid not in found or found[line.gid].result == UNCHANGED:
            found[line.gid] = LiveGoal(line.gid, goal_permalink(line.gid), result, changes)
    return list(found.values())


def _changes(
    line: LineResult, goal: Mapping[str, Any], owner_gid: str | None
) -> dict[str, tuple[str | None, str | None]]:
    stored = parse_line(line.closest or line.text)
    is_now: dict[str, tuple[str | None, str | None]] = {}
    if stored.kind is not None:
        is_now["name"] = (stored.name, safe_name(parse_text(goal, "name")))
        is_now["status"] = (stored.status, map_status(parse_status_type(goal)))
    if owner_gid is not None:
        is_now["owner"] = (owner_gid, parse_owner_gid(goal))
    return {name: (was, now) for name, (was, now) in is_now.items() if was != now}
