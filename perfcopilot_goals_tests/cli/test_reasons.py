"""`status --employees`: each employee of the sample company with the reason for what their block says."""

import json
from pathlib import Path
from typing import Any

from perfcopilot_goals.sandbox import Sandbox, sample_company
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import connect, roster_of

EVERYBODY = [f"E{number:03d}" for number in range(1, 42)]
AT_FIRST = (
    dict.fromkeys(EVERYBODY, "ok")
    | dict.fromkeys(["E002", "E003"], "truncated")
    | dict.fromkeys(["E015", "E016", "E017"], "owns_no_goals")
    | dict.fromkeys(EVERYBODY[35:], "unmapped")
)


def statuses(cli: Cli, *name: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(cli("status", *name, "--employees", "--json").stdout)
    return {row["employee_id"]: row for row in rows if row["connection"] == "acme"}


def reasons(cli: Cli) -> dict[str, str]:
    return {employee_id: row["reason"] for employee_id, row in statuses(cli, "acme").items()}


def test_every_employee_of_the_sample_company_has_the_right_reason(cli: Cli, tmp_path: Path) -> None:
    world = sample_company()
    gid_of = {e.employee_id: e.asana_user_gid for e in world.roster}
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        before = dict.fromkeys(EVERYBODY, "not_synced") | dict.fromkeys(EVERYBODY[35:], "unmapped")
        assert reasons(cli) == before
        assert cli("sync", "acme").returncode == 0
        assert reasons(cli) == AT_FIRST
        told = statuses(cli)
        assert {i: (row["goals"], row["goals_owned"]) for i, row in told.items() if i in ("E001", "E003", "E015")} == {
            "E001": (200, 200),
            "E003": (200, 243),
            "E015": (0, 0),
        }
        assert told["E003"]["key_results"] == 130
        assert told["E036"]["age_seconds"] is None
        assert 0 <= told["E001"]["age_seconds"] < 600
        shown = cli("status", "--employees").stdout
        assert "acme        E003         truncated      200 of 243  130" in shown
        assert "ok: 30, unmapped: 6, owns_no_goals: 3, truncated: 2" in shown

        # E020 gives everything away, E016 leaves the company, E021 leaves and keeps the goals.
        for gid in world.owned_by(str(gid_of["E020"])):
            world.reown(gid, None)
        del world.people[str(gid_of["E016"])], world.people[str(gid_of["E021"])]
        assert cli("sync", "acme").returncode == 0
        assert reasons(cli) == AT_FIRST | {"E020": "had_goals_before"}
        suggested = cli("employee", "suggest", "acme")
        assert "Mapped to users who are not in the workspace any more: E016, E021" in suggested.stdout
        later = AT_FIRST | {"E020": "had_goals_before", "E016": "asana_user_gone"}
        assert reasons(cli) == later
        assert cli("sync", "acme").returncode == 0
        assert reasons(cli) == later
    assert json.loads(cli("prompt", "acme", "E016", "--json").stdout)["reason"] == "asana_user_gone"


def test_the_status_of_one_connection_is_that_one_alone(cli: Cli, tmp_path: Path) -> None:
    for name in ("acme", "other"):
        assert cli("connection", "add", name).returncode == 0
        path = tmp_path / "people.csv"
        path.write_text("employee_id,full_name,email,asana_user_gid\nE1,Canary Ana,,11\n", "utf-8")
        assert cli("employee", "import", name, str(path)).returncode == 0
    (alone,) = json.loads(cli("status", "other", "--json").stdout)
    assert alone["connection"] == "other"
    every = json.loads(cli("status", "--employees", "--json").stdout)
    assert [(row["connection"], row["reason"]) for row in every] == [("acme", "not_synced"), ("other", "not_synced")]
    assert "Canary" not in cli("status", "--employees").stdout
    unknown = cli("status", "nope", "--employees")
    assert (unknown.returncode, unknown.stdout) == (2, "")
