"""Small workspaces whose goals all bear a canary, and the sandbox that knows the canary for its token.

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
    """So many goals, none a sub-goal: their gids count up from 1001."""
    world = World(WORKSPACE, "Canary works", {"1": Person("1", "Ada Thimble", "ada@example.com")})
    for number in range(1, goals + 1):
        world.add(Goal(str(1000 + number), f"{GOAL_NAME} {number}", owner_gid="1", status_type="at_risk"))
    return world


def family_world(parents: int, children: int = 2) -> World:
    """So many parents, 1001 and on, each with its own children, which come after all parents in the list."""
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
    """A sandbox of this world that wants the canary for its token."""
    return Sandbox(world, token=TOKEN, **options)


def parse_goals(client: AsanaClient, **options: Any) -> list[str]:
    """The gids of the workspace's goals as the client lists them."""
    return [goal["gid"] for goal in fetch_goals(client, WORKSPACE, FIELDS, **options)]
