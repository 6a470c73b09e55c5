"""`prompt --as-of` and `--history`: what a reader got then, or since when there is history."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import ANAS_BLOCK, connect, small_company

GROW, HIRE = "1300000000000001", "1300000000000003"


def now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()


def test_a_look_back_prints_what_a_reader_got_then_and_the_history_what_changed(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        nothing = cli("prompt", "acme", "E1", "--history")
        assert (nothing.returncode, nothing.stdout) == (2, "")
        assert "there is no block for employee E1 yet" in nothing.stderr
        assert cli("sync", "acme").returncode == 0
        before = now()
        world = asana.world
        world.goals[GROW] = replace(world.goals[GROW], status_type="missed")
        world.delete(HIRE)
        assert cli("sync", "acme").returncode == 0
    then = cli("prompt", "acme", "E1", "--as-of", before)
    assert (then.returncode, then.stdout, then.stderr) == (0, ANAS_BLOCK, "")
    present = cli("prompt", "acme", "E1").stdout
    today = cli("prompt", "acme", "E1", "--as-of", now()[:10])
    assert (today.returncode, today.stdout) == (0, present)
    assert present != ANAS_BLOCK
    assert "That day is not over" in today.stderr

    found = json.loads(cli("prompt", "acme", "E1", "--as-of", before, "--json").stdout)
    assert found["block"] + "\n" == ANAS_BLOCK
    assert dt.datetime.fromisoformat(found["as_of"]) == dt.datetime.fromisoformat(before)
    assert found["visible_from"] < found["visible_to"]
    assert not found["is_so_far"]
    assert json.loads(cli("prompt", "acme", "E1", "--as-of", now()[:10], "--json").stdout)["is_so_far"]
    listed = cli("prompt", "acme", "E1", "--history")
    assert "1 at_risk, 1 on_track, 1 completed" in listed.stdout
    assert (
        f"goals_owned 2 to 1; goals_listed 2 to 1; removed {HIRE}; status {GROW} at_risk to off_track" in listed.stdout
    )
    first, second = json.loads(cli("prompt", "acme", "E1", "--history", "--json").stdout)
    version = {name: value for name, value in found.items() if name not in ("as_of", "is_so_far")}
    assert first == version | {"statuses": first["statuses"], "changes": None, "is_after_gap": False}
    assert second["changes"]["statuses"] == [
        {"goal_gid": GROW, "key_result_gid": None, "before": "at_risk", "after": "off_track"}
    ]

    early = cli("prompt", "acme", "E1", "--as-of", "2020-02-29")
    assert (early.returncode, early.stdout) == (2, "")
    since = first["visible_from"].replace("+00:00", "Z")
    assert f"there is history of the block of employee E1 since {since}" in early.stderr
    for wrong, says in (
        ("2020-02-29T10:00", "has no time zone. Write a date such as"),
        ("soon", "is neither a date nor an instant. Write a date such as"),
        ("2999-01-01", "is still to come"),
    ):
        refused = cli("prompt", "acme", "E1", "--as-of", wrong)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert says in refused.stderr
    assert cli("prompt", "acme", "E1", "--as-of", before, "--history").returncode == 2
    assert "has no employee 'E9'" in cli("prompt", "acme", "E9", "--as-of", before).stderr

    assert cli("employee", "unmap", "acme", "E1").returncode == 0
    after = now()
    assert cli("prompt", "acme", "E1", "--as-of", before).stdout == ANAS_BLOCK
    gone = cli("prompt", "acme", "E1", "--as-of", after)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert "employee E1 had no block at" in gone.stderr

    erased = cli("employee", "erase", "acme", "E1", "--yes", "--json", "--verify", "Grow web traffic")
    # Once unmapped, their goals cannot be told from others'; the next sync drops them. The history is theirs.
    places = json.loads(erased.stdout)["found"]["Grow web traffic"]
    assert not [place for place in places if "version" in place or "prompt_blocks" in place or "mapped" in place]
    assert "has no employee 'E1'" in cli("prompt", "acme", "E1", "--as-of", before).stderr
