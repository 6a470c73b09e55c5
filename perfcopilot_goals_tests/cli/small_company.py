"""A company of three with four goals, as a connection; and the roster of any other company."""

from pathlib import Path

import pytest

from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World, roster_csv
from perfcopilot_goals_tests.cli.command import Cli

ANA, BO, CY = "1200000000000011", "1200000000000012", "1200000000000013"
WORKSPACE = "1200000000000001"

ROSTER = f"""employee_id,full_name,email,asana_user_gid
E1,Canary Ana Ruiz,ana@example.com,{ANA}
E2,Canary Bo Li,bo@example.com,{BO}
E3,Canary Cy Old,cy@example.com,
"""

ANAS_BLOCK = """[GOALS]
- Goal (status: at_risk): Grow web traffic by 30%
  - KR (status: on_track): Publish ten posts
- Goal (status: completed): Hire two engineers
[/GOALS]
"""


def small_company() -> World:
    people = {gid: Person(gid, name) for gid, name in ((ANA, "Ana"), (BO, "Bo"), (CY, "Cy"))}
    world = World(WORKSPACE, "Canary workspace", people)
    world.add(Goal("1300000000000001", "Grow web traffic by 30%", ANA, status_type="behind"))
    world.add(Goal("1300000000000002", "Nobody's goal"))
    world.add(Goal("1300000000000003", "Hire two engineers", ANA, status_type="achieved"))
    world.add(Goal("1300000000000004", "Publish ten posts", CY, status_type=None), "1300000000000001")
    return world


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, "utf-8")
    return path


def connect(cli: Cli, asana: Sandbox, roster: Path, *, gid: bool = True) -> None:
    given = ["--workspace-gid", asana.world.workspace_gid] if gid else []
    added = cli("connection", "add", "acme", "--base-url", asana.base_url, "--requests-per-minute", "60000", *given)
    assert added.returncode == 0, added.stderr
    imported = cli("employee", "import", "acme", str(roster))
    assert imported.returncode == 0, imported.stderr


def roster_of(world: World, tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(roster_csv(world), "utf-8")
    return path
