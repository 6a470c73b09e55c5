"""Maps Asana's status words to the four statuses of a review, and goals and key results to `mapped_goal_rows`."""

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
