"""A world of any size, for measurements and load. The same arguments always give the same world.

It is cheap: 100,000 goals take about a second. Awkward data is in `company`.
"""

from perfcopilot_goals.sandbox.wording import goal_name
from perfcopilot_goals.sandbox.world import Employee, Goal, Person, World

DESCRIPTION = "<body>" + "Agreed with the team in the planning week, and looked at every month. " * 3 + "</body>"
STATUS_TYPES = (None, "on_track", "at_risk", "off_track", "achieved", "partial", "missed", "dropped")


def generated_world(
    goals: int = 1000,
    people: int = 50,
    workspace_gid: str = "1200000000000002",
    subgoals: int | None = None,
) -> World:
    """A world with a list of `goals` goals, sub-goals included. Everybody is a mapped employee.

    `subgoals` of the goals are sub-goals, by default three quarters of them. They come last, and the other goals are
    their parents in turn.
    """
    gids = [f"12{number:014d}" for number in range(1, people + 1)]
    persons = {
        gid: Person(gid, f"Person {number}", f"person{number}@example.com") for number, gid in enumerate(gids, 1)
    }
    roster = [
        Employee(f"E{number:06d}", person.name, person.email or "", person.gid)
        for number, person in enumerate(persons.values(), 1)
    ]
    world = World(workspace_gid, "Generated company", persons, roster=roster)
    top_level = goals - (goals * 3 // 4 if subgoals is None else subgoals)
    for position in range(goals):
        goal = Goal(
            _goal_gid(position),
            goal_name(position),
            owner_gid=gids[position % people],
            html_notes=DESCRIPTION,
            start_on="2026-01-01",
            due_on="2026-12-31",
            status_type=STATUS_TYPES[position % len(STATUS_TYPES)],
        )
        parents = () if position < top_level else (_goal_gid(position % top_level),)
        world.add(goal, *parents)
    return world


def _goal_gid(position: int) -> str:
    return f"14{position + 1:014d}"
