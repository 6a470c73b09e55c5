"""`employee unmapped` from both sides, for people and for programs."""

import json
from pathlib import Path

from perfcopilot_goals.sandbox import Sandbox, sample_company
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import connect, roster_of


def test_the_sample_companys_gap_is_told_from_both_sides(cli: Cli, tmp_path: Path) -> None:
    world = sample_company()
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        early = cli("employee", "unmapped", "acme")
        assert (
            "Which goals wait for an employee is known after the first sync: perfcopilot-goals sync acme"
            in early.stdout
        )
        assert cli("sync", "acme").returncode == 0
    people = json.loads(cli("employee", "unmapped", "acme", "--json").stdout)
    assert [person["employee_id"] for person in people] == ["E036", "E037", "E038", "E039", "E040", "E041"]
    assert {"employee_id", "full_name", "email", "asana_user_gid", "unchanged_since"} == set(people[0])

    both = json.loads(cli("employee", "unmapped", "acme", "--owners", "--json").stdout)
    mapped = {e.asana_user_gid for e in world.roster if e.asana_user_gid}
    strangers = {goal.owner_gid for goal in world.goals.values()} - mapped - {None}
    assert both["employees"] == people
    assert {row["asana_user_gid"]: row["goals"] for row in both["owners"]} == {
        gid: len(world.owned_by(gid)) for gid in strangers if gid
    }
    assert [row["goals"] for row in both["owners"]] == [2, 2, 1, 1, 1, 1, 1]
    assert both["goals_without_owner"] == 9

    told = cli("employee", "unmapped", "acme").stdout
    assert "E041         Ottilie Thimble" in told
    assert "9 goals of 7 Asana users who are no employees, 9 goals without an owner, as of 20" in told


def test_many_owners_are_cut_for_people_unless_all_are_asked_for(cli: Cli, tmp_path: Path) -> None:
    world = sample_company()
    for number, gid in enumerate(list(world.goals)[:30]):
        world.reown(gid, f"77{number:02}")
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        assert cli("sync", "acme").returncode == 0
    some, every = (cli("employee", "unmapped", "acme", *more).stdout for more in ([], ["--owners"]))
    owners = len(json.loads(cli("employee", "unmapped", "acme", "--owners", "--json").stdout)["owners"])
    assert owners > 30
    assert f"… and {owners - 10} more: --owners" in some
    assert "7729" in every
    assert "7729" not in some
