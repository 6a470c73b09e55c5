"""Small workspaces whose goals all have a canary in them, and a sandbox whose token is the canary.

Add a shape here when two test files need it.
"""

from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World
from perfcopilot_goals_tests.asana.canaries import GOAL_NAME, TOKEN

WORKSPACE = "77"
FIELDS = ("name", "owner", "workspace")


def flat_world(goals: int) -> World:
    """A world with this many goals, none a sub-goal. Their gids count up from 1001."""
    world = World(WORKSPACE, "Canary works", {"1": Person("1", "Ada Thimble", "ada@example.com")})
    for number in range(1, goals + 1):
        world.add(Goal(str(1000 + number), f"{GOAL_NAME} {number}", owner_gid="1", status_type="at_risk"))
    return world


def family_world(parents: int, children: int = 2) -> World:
    """A world with this many parents, from 1001. Each has its own children, listed after all parents."""
    world = flat_world(parents)
    for number in range(1, parents + 1):
        for child in range(1, children + 1):
            world.add(Goal(f"{1000 + number}{child:03d}", f"{GOAL_NAME} {number}.{child}"), str(1000 + number))
    return world


def parents_of(world: World) -> list[str]:
    """The goals that are nobody's sub-goal."""
    children = {child for of_one in world.subgoals.values() for child in of_one}
    return [gid for gid in world.goals if gid not in children]


def serve(world: World, **options: Any) -> Sandbox:
    """A sandbox of this world that expects the canary as its token."""
    return Sandbox(world, token=TOKEN, **options)


def parse_goals(client: AsanaClient, **options: Any) -> list[str]:
    """The gids of the workspace's goals as the client lists them."""
    return [goal["gid"] for goal in fetch_goals(client, WORKSPACE, FIELDS, **options)]
