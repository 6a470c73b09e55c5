"""Asana's status words to the four statuses of a review, and goals with their key results to `mapped_goal_rows`."""

import pandas as pd

from perfcopilot_goals.schemas.tables import frame

# The match is exact: "Achieved" or "on track" are not words that Asana sends, and guessing could mark a miss as done.
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
# Read as on_track like any other word, but known to mean it.
KNOWN_WORDS = frozenset(STATUS_OF) | {"on_track"}


def map_status(status_type: str | None) -> str:
    """The status of a review; anything unknown, or no status at all, counts as on track."""
    return STATUS_OF.get(status_type or "", "on_track")


def map_rows(owned_goals: pd.DataFrame, subgoals: pd.DataFrame) -> pd.DataFrame:
    """Rows of `mapped_goal_rows`: per employee the goals by rank, each followed by its key results."""
    children: dict[str, list[tuple[object, ...]]] = {}
    by_place = subgoals.sort_values("position", kind="stable")
    for goal_gid, *child in by_place[
        ["goal_gid", "subgoal_gid", "name", "start_on", "due_on", "status_type"]
    ].itertuples(index=False, name=None):
        children.setdefault(goal_gid, []).append(tuple(child))

    rows: list[tuple[object, ...]] = []
    columns = ["goal_gid", "employee_id", "name", "description", "start_on", "due_on", "status_type"]
    position = 0
    employee = None
    by_rank = owned_goals.sort_values(["employee_id", "owned_rank"], kind="stable")
    for gid, employee_id, name, description, start_on, due_on, word in by_rank[columns].itertuples(
        index=False, name=None
    ):
        position = 0 if employee_id != employee else position
        employee = employee_id
        dates_and_status = (start_on, due_on, word, map_status(word))
        rows.append((gid, gid, employee_id, "goal", position, name, description, *dates_and_status))
        position += 1
        for child_gid, child_name, child_start_on, child_due_on, child_word in children.get(gid, []):
            dates_and_status = (child_start_on, child_due_on, child_word, map_status(child_word))  # type: ignore[arg-type]
            rows.append((gid, child_gid, employee_id, "key_result", position, child_name, None, *dates_and_status))
            position += 1
    return frame("mapped_goal_rows", rows)
