"""Maps Asana's status words to the four statuses of a review, and goals and key results to `mapped_goal_rows`."""

from collections import Counter, defaultdict
from typing import Any

import pandas as pd

from perfcopilot_goals.schemas.tables import frame

# The match is exact. Asana does not send "Achieved" or "on track", and a guess could mark a missed goal as done.
STATUS_OF = {
    "achieved": "completed",
    "completed": "completed",
    "done": "completed",
    "at_risk": "at_risk",
    "behind": "at_risk",
    "partial": "at_risk",
    "off_track": "off_track",
    "missed": "off_track",
    "dropped": "off_track",
}
# Any word that is not in the table becomes on_track; `on_track` itself is known to mean it.
KNOWN_WORDS = frozenset(STATUS_OF) | {"on_track"}


def map_status(status_type: str | None) -> str:
    """The review's status. An unknown word, or none at all, counts as on track."""
    return STATUS_OF.get(status_type or "", "on_track")


def map_rows(owned_goals: pd.DataFrame, subgoals: pd.DataFrame) -> pd.DataFrame:
    """Rows of `mapped_goal_rows`: each employee's goals by rank, each followed by its key results."""
    key_results: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    columns = ["goal_gid", "subgoal_gid", "name", "start_on", "due_on", "status_type"]
    by_place = subgoals.sort_values("position", kind="stable")
    for goal_gid, gid, name, *others in by_place[columns].itertuples(index=False, name=None):
        key_results[goal_gid].append((gid, "key_result", name, None, *others))

    rows: list[tuple[object, ...]] = []
    rows_of = Counter[str]()
    columns = ["goal_gid", "employee_id", "name", "description", "start_on", "due_on", "status_type"]
    by_rank = owned_goals.sort_values(["employee_id", "owned_rank"], kind="stable")
    for goal_gid, employee_id, *goal in by_rank[columns].itertuples(index=False, name=None):
        for gid, kind, *content, word in [(goal_gid, "goal", *goal), *key_results[goal_gid]]:
            rows.append((goal_gid, gid, employee_id, kind, rows_of[employee_id], *content, word, map_status(word)))
            rows_of[employee_id] += 1
    return frame("mapped_goal_rows", rows)
