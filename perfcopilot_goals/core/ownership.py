"""Whose goal it is: selects from the workspace's goals those that mapped employees own, within the cap."""

from collections.abc import Mapping

import pandas as pd

from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE
from perfcopilot_goals.schemas.tables import frame


def select_owned_goals(raw_goals: pd.DataFrame, employee_of: Mapping[str, str]) -> pd.DataFrame:
    """Rows of `owned_goals`: each employee's first 200 goals, in the order of Asana's list.

    `employee_of` maps an Asana user's gid to an employee's id. Names and e-mail addresses never decide: two people can
    share a name, and a wrong match puts one person's goals into another's review.
    """
    owned = raw_goals[raw_goals["owner_gid"].isin(list(employee_of))].sort_values("position", kind="stable")
    owned = owned.assign(employee_id=owned["owner_gid"].map(employee_of).astype("object"))
    per_employee = owned.groupby("employee_id", sort=False)["goal_gid"]
    owned = owned.assign(owned_rank=per_employee.cumcount() + 1, owned_total=per_employee.transform("size"))
    listed = owned[owned["owned_rank"] <= GOALS_PER_EMPLOYEE].rename(columns={"html_notes": "description"})
    listed = listed.assign(truncated=listed["owned_total"] > GOALS_PER_EMPLOYEE)
    empty = frame("owned_goals", [])
    return listed[list(empty.columns)].astype(empty.dtypes.to_dict()).reset_index(drop=True)
