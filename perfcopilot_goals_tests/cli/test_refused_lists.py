"""Lists of sub-goals that Asana refuses or hides, as the command line's user sees it."""

import json
from pathlib import Path

import pytest

from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.scripted_faults import Script, asks_subgoals_of

GOALS = [str(1300000000000001 + number) for number in range(8)]
ROSTER = "employee_id,full_name,email,asana_user_gid\nE1,Ana Ruiz,ana@example.com,11\n"


def company() -> World:
    """Ana owns eight goals; each has three key results."""
    world = World("77", "Works", {"11": Person("11", "Ana")})
    for gid in GOALS:
        world.add(Goal(gid, f"Goal {gid[-1]}", "11", status_type="at_risk"))
        for child in range(3):
            world.add(Goal(f"{gid}{child}", f"Key result {gid[-1]}.{child}"), gid)
    return world


def connect(cli: Cli, asana: Sandbox, tmp_path: Path) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text(ROSTER, "utf-8")
    settings = ["--workspace-gid", "77", "--base-url", asana.base_url, "--requests-per-minute", "60000"]
    assert cli("connection", "add", "acme", *settings).returncode == 0
    assert cli("employee", "import", "acme", str(roster)).returncode == 0
    assert cli("sync", "acme").returncode == 0


def lacks_key_results_of(cli: Cli, goals: list[str]) -> bool:
    """Whether everything that shows the block says that these goals in it may lack key results."""
    shown = cli("prompt", "acme", "E1")
    count = "1 goal" if len(goals) == 1 else f"{len(goals)} goals"
    said = f"Key results may be missing: Asana did not show all those of {count} ({', '.join(goals)})"
    (row,) = json.loads(cli("status", "--employees", "--json").stdout)
    listed = [json.loads(cli("prompt", "acme", "E1", "--json").stdout)["incomplete_goals"], row["incomplete_goals"]]
    remark = "Employees with goals whose key results Asana did not all show: 1."
    return said in shown.stderr and listed == [goals, goals] and remark in cli("status", "--employees").stdout


@pytest.mark.fault("B30", "B31")
def test_a_token_that_lost_access_to_key_results_exits_with_3_and_the_block_keeps_them(
    cli: Cli, tmp_path: Path
) -> None:
    with Sandbox(company(), token=TOKEN) as asana:
        connect(cli, asana, tmp_path)
        block = cli("prompt", "acme", "E1").stdout
        assert block.count("  - KR") == 24
        assert cli("prompt", "acme", "E1").stderr == ""

        gone, *hidden = GOALS
        refused = Script().on(faults.status(404, "supported_goal: Unknown object"), when=asks_subgoals_of(gone))
        asana.faults = refused.on(faults.status(403, "Forbidden"), when=asks_subgoals_of(*hidden))
        for arguments in (["acme"], ["acme", "--allow-empty"]):
            failed = cli("sync", *arguments)
            assert (failed.returncode, failed.stdout) == (3, "")
            told = failed.stderr.splitlines()[-1]
            assert told.startswith("AsanaAccessError: connection acme: no sub-goal list could be read: 7 of 8 answered")
        prompted = cli("prompt", "acme", "E1")
        assert prompted.stdout == block
        assert "AsanaAccessError" in prompted.stderr

        asana.faults = Script().on(faults.status(403, "Forbidden"), when=asks_subgoals_of(*GOALS[:7]))
        failed = cli("sync", "acme")
        assert failed.returncode == 3
        assert "7 of 8 goals with stored key results" in failed.stderr
        assert "perfcopilot-goals sync acme --allow-empty" in failed.stderr
        assert cli("prompt", "acme", "E1").stdout == block

        allowed = cli("sync", "acme", "--allow-empty")
        assert allowed.returncode == 0, allowed.stderr
        assert "WARN every_subgoal_list_was_read: 7" in allowed.stdout
        assert cli("prompt", "acme", "E1").stdout.count("  - KR") == 3
        (status,) = json.loads(cli("status", "--json").stdout)
        assert (status["key_results"], status["unread_lists"], status["hidden_subgoals"]) == (3, 7, 0)
        assert lacks_key_results_of(cli, GOALS[:7])


@pytest.mark.fault("B32")
def test_hidden_sub_goals_are_told_after_the_sync_and_by_status(cli: Cli, tmp_path: Path) -> None:
    with Sandbox(company(), token=TOKEN) as asana:
        connect(cli, asana, tmp_path)
        (status,) = json.loads(cli("status", "--json").stdout)
        assert (status["hidden_subgoals"], status["unread_lists"]) == (0, 0)
        asana.faults = Script().on(
            faults.edit_rows(lambda row: row | {"supporting_resource": None}), query={"supported_goal": GOALS[1]}
        )
        synced = cli("sync", "acme")
    assert synced.returncode == 0, synced.stderr
    assert f"WARN no_subgoal_is_hidden: 1 ({GOALS[1]}: 3)" in synced.stdout
    (status,) = json.loads(cli("status", "--json").stdout)
    assert (status["key_results"], status["hidden_subgoals"], status["unread_lists"]) == (21, 3, 0)
    assert lacks_key_results_of(cli, [GOALS[1]])
    head, line = cli("status").stdout.splitlines()
    column = head.index("hidden sub-goals")
    assert line[column:].split()[:2] == ["3", "0"]
    assert head[column:].split("  ")[:2] == ["hidden sub-goals", "unread lists"]
