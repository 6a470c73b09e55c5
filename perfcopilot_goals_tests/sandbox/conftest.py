"""Worlds and sandboxes that several test files use.

The whole session shares `company_asana`: do not change it.
"""

from collections.abc import Iterator

import pytest

from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World, sample_company


@pytest.fixture(scope="session")
def company() -> World:
    return sample_company()


@pytest.fixture(scope="session")
def company_asana(company: World) -> Iterator[Sandbox]:
    with Sandbox(company, routes="both") as asana:
        yield asana


@pytest.fixture
def world() -> World:
    """One owner, five goals; the second and third support the first."""
    world = World("77", "Small", {"1": Person("1", "Ada Thimble", "ada@example.com")})
    for number in range(1, 6):
        parents = ["101"] if number in (2, 3) else []
        world.add(Goal(f"10{number}", f"Goal {number}", owner_gid="1", status_type="at_risk"), *parents)
    return world
