"""What the stand-in Asana knows: people, goals, which goal supports which. And beside it, the employer's roster.

Add a field here when a response needs it. `records` says how a record looks on the wire; the sample data is in
`company` and `generated`. A test may change the world between two requests, so everything mutable is a plain dict or
list.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Person:
    """An Asana user. `email` is None if Asana would keep it back, as it does for some guests."""

    gid: str
    name: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal. Dates are `YYYY-MM-DD`. `status_type` is the latest update's word; None if there was no update."""

    gid: str
    name: str
    owner_gid: str | None = None
    html_notes: str | None = "<body></body>"
    start_on: str | None = None
    due_on: str | None = None
    status_type: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Employee:
    """A line of the employer's roster. It is not in Asana, but the two only make sense together."""

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: str | None = None


@dataclass(slots=True)
class World:
    """One workspace. `goals` is in the order of Asana's list; the first of `people` is the token's user."""

    workspace_gid: str
    workspace_name: str
    people: dict[str, Person]
    goals: dict[str, Goal] = field(default_factory=dict)
    subgoals: dict[str, list[str]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    roster: list[Employee] = field(default_factory=list)

    @property
    def gid(self) -> str:
        return self.workspace_gid

    def add(self, goal: Goal, *parent_gids: str) -> None:
        """Append a goal to the list, as a sub-goal of each parent named."""
        self.goals[goal.gid] = goal
        for parent_gid in parent_gids:
            self.subgoals.setdefault(parent_gid, []).append(goal.gid)

    def rename(self, goal_gid: str, name: str) -> None:
        self.goals[goal_gid] = replace(self.goals[goal_gid], name=name)

    def reown(self, goal_gid: str, owner_gid: str | None) -> None:
        self.goals[goal_gid] = replace(self.goals[goal_gid], owner_gid=owner_gid)

    def delete(self, goal_gid: str) -> None:
        """Remove a goal with its links. Its sub-goals stay in the list, as in Asana."""
        del self.goals[goal_gid]
        self.subgoals.pop(goal_gid, None)
        for children in self.subgoals.values():
            if goal_gid in children:
                children.remove(goal_gid)

    def visible(self, goal_gids: Iterable[str] | None = None) -> list[Goal]:
        """The goals that exist and that the token may see: these, or all that there are, in order."""
        # A copy before any loop: a test may delete a goal while another thread responds.
        if goal_gids is None:
            goals = list(self.goals.values())
        else:
            goals = [goal for gid in list(goal_gids) if (goal := self.goals.get(gid))]
        return [goal for goal in goals if goal.gid not in self.hidden] if self.hidden else goals

    def owned_by(self, person_gid: str) -> list[str]:
        """The goals that a person owns, in list order; hidden ones too."""
        return [gid for gid, goal in list(self.goals.items()) if goal.owner_gid == person_gid]


def roster_csv(world: World) -> str:
    """The roster as `employee import` reads it. An unmapped employee's last column is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["employee_id", "full_name", "email", "asana_user_gid"])
    for employee in world.roster:
        writer.writerow([employee.employee_id, employee.full_name, employee.email, employee.asana_user_gid or ""])
    return text.getvalue()
