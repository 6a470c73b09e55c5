"""`employee suggest` as its user runs it, beside syncs that use the same token."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.sandbox import Goal, Person, Sandbox, World, sample_company
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import connect, roster_of

VERA, WILLEM = "E036", "E037"


def mapped(cli: Cli) -> dict[str, str | None]:
    return {
        row["employee_id"]: row["asana_user_gid"]
        for row in json.loads(cli("employee", "list", "acme", "--json").stdout)
    }


def test_the_sample_companys_exact_addresses_are_applied_and_nothing_else(cli: Cli, tmp_path: Path) -> None:
    world = sample_company()
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        before = mapped(cli)
        shown = cli("employee", "suggest", "acme")
        assert shown.returncode == 0, shown.stderr
        assert mapped(cli) == before, "only shown"
        assert (
            "acme: 2 exact, which --apply maps; 0 hints, 3 collisions, 1 not found among 42 Asana users" in shown.stdout
        )
        applied = cli("employee", "suggest", "acme", "--apply", "--json")
        assert applied.returncode == 0, applied.stderr
        asked = [call.path for call in asana.requests]
    told = json.loads(applied.stdout)
    assert (told["applied"], told["counts"]) == (2, {"exact": 2, "hint": 0, "collision": 3, "nothing": 1})
    kinds = {row["employee_id"]: (row["kind"], row["why"]) for row in told["suggestions"]}
    vera, willem = (
        next(g for g, p in world.people.items() if p.name == name) for name in ("Vera Colander", "Willem Nutmeg")
    )
    assert kinds == {
        VERA: ("exact", "same e-mail"),
        WILLEM: ("exact", "same e-mail"),
        "E038": ("collision", "the same e-mail as E039"),
        "E039": ("collision", "the same e-mail as E038"),
        "E040": ("nothing", "no Asana user has that e-mail"),
        "E041": ("collision", "the roster has no e-mail address for them"),
    }
    assert mapped(cli) == before | {VERA: vera, WILLEM: willem}
    assert asked == ["/users", "/users"], "42 users are one page, and nothing else is asked"


SWAPPED = """\
employee_id,full_name,email,asana_user_gid
E001,Ana,ana@example.com,1202000000000002
E002,Bo,bo@example.com,1202000000000001
E003,Cy,cy@example.com,1202000000000003
E004,Di,di@example.com,
"""


def swapped_company() -> World:
    """Ana, Bo and Cy own a goal each; Cy uses a private address in Asana."""
    emails = {"Ana": "ana@example.com", "Bo": "bo@example.com", "Cy": "cy@mail.example"}
    people = {f"120200000000000{n}": Person(f"120200000000000{n}", *one) for n, one in enumerate(emails.items(), 1)}
    world = World("1201000000000009", "Swapped", people)
    for gid, person in people.items():
        world.add(Goal(gid.replace("1202", "1205"), f"{person.name}'s goal", gid))
    return world


@pytest.mark.fault("B40")
def test_swapped_employees_are_named_by_the_sync_and_by_suggest_until_they_are_put_right(
    cli: Cli, tmp_path: Path
) -> None:
    roster = tmp_path / "swapped.csv"
    roster.write_text(SWAPPED, "utf-8")
    with Sandbox(swapped_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert json.loads(cli("plan", "acme", "--json").stdout)["user_pages"] == 1
        synced = cli("sync", "acme")
        assert synced.returncode == 0
        assert "WARN every_mapping_agrees_with_asana: 2 (E001, E002)" in synced.stdout
        assert "Bo's goal" in cli("prompt", "acme", "E001").stdout
        planned = json.loads(cli("plan", "acme", "--json").stdout)
        assert (planned["user_pages"], planned["requests"]) == (0, 4)

        shown = cli("employee", "suggest", "acme").stdout
        assert (
            "  E001 is mapped to 1202000000000002: that user has the e-mail of E002, and E001 has the e-mail of user "
            "1202000000000001\n" in shown
        )
        assert "perfcopilot-goals employee unmap acme EMPLOYEE" in shown
        assert "E003" not in shown
        told = json.loads(cli("employee", "suggest", "acme", "--json").stdout)
        assert told["conflicts"] == [
            {
                "employee_id": employee_id,
                "gid": gid,
                "kind": "both",
                "other_gids": [other_gid],
                "other_employee_ids": [other],
            }
            for employee_id, gid, other, other_gid in (
                ("E001", "1202000000000002", "E002", "1202000000000001"),
                ("E002", "1202000000000001", "E001", "1202000000000002"),
            )
        ]

        asked = cli("employee", "erase", "acme", "E002")
        assert asked.returncode == 130
        assert asked.stderr.startswith(
            "E002 may be mapped to somebody else's Asana user. Then that person's goals are erased"
        )
        for employee_id in ("E001", "E002"):
            cli("employee", "unmap", "acme", employee_id)
        applied = cli("employee", "suggest", "acme", "--apply")
        assert "acme: 2 applied" in applied.stdout
        assert "is mapped to" not in applied.stdout
        assert "every_mapping_agrees_with_asana" not in cli("sync", "acme").stdout
    assert "Ana's goal" in cli("prompt", "acme", "E001").stdout


def test_a_connection_says_whether_it_looks_at_the_users_and_can_be_told_not_to(cli: Cli) -> None:
    def listed() -> dict[str, bool]:
        return {row["connection"]: row["check_users"] for row in json.loads(cli("connection", "list", "--json").stdout)}

    assert cli("connection", "add", "acme").returncode == 0
    assert cli("connection", "add", "globex", "--no-check-users").returncode == 0
    assert listed() == {"acme": True, "globex": False}
    assert cli("connection", "set", "acme", "--no-check-users").returncode == 0
    assert cli("connection", "set", "globex", "--check-users").returncode == 0
    assert listed() == {"acme": False, "globex": True}
    assert "check_users" in cli("connection", "list").stdout
    assert json.loads(cli("plan", "acme", "--json").stdout)["user_pages"] == 0


def test_after_apply_the_next_sync_brings_the_goals(cli: Cli, tmp_path: Path) -> None:
    world = sample_company()
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        applied = cli("employee", "suggest", "acme", "--apply")
        assert "acme: 2 applied; 0 hints, 3 collisions, 1 not found" in applied.stdout
        assert applied.stdout.endswith("The next sync brings their goals: perfcopilot-goals sync acme\n")
        assert cli("sync", "acme").returncode == 0
        again = cli("employee", "suggest", "acme", "--apply")
    assert cli("prompt", "acme", VERA).stdout.count("\n- ") == 1
    assert "acme: 0 applied" in again.stdout
    assert "sync acme" not in again.stdout


@pytest.mark.parametrize(
    ("breaking", "more", "says"),
    [
        pytest.param(["--workspace-gid"], {}, "connection set acme --workspace-gid", id="no-gid"),
        pytest.param([], {"ASANA_ACCESS_TOKEN": " "}, "ASANA_ACCESS_TOKEN is unset or empty", id="no-token"),
    ],
)
def test_without_a_gid_or_a_token_nothing_is_asked(
    cli: Cli, tmp_path: Path, breaking: list[str], more: dict[str, str], says: str
) -> None:
    world = sample_company()
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path), gid=not breaking)
        refused = cli("employee", "suggest", "acme", "--apply", **more)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("GoalsConfigError: connection acme")
        assert says in refused.stderr
        assert asana.requests == []


def test_a_refusal_is_told_with_the_connection_and_without_a_name_and_maps_nobody(cli: Cli, tmp_path: Path) -> None:
    world = sample_company()
    with Sandbox(world, token="another") as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        refused = cli("employee", "suggest", "acme", "--apply")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith("AsanaAccessError: connection acme: GET /users answered 401")
    assert TOKEN not in refused.stderr
    assert mapped(cli)[VERA] is None


def test_it_waits_until_the_sync_that_has_the_token_is_done(
    cli: Cli, tmp_path: Path, database: Database, database_url: str
) -> None:
    world = sample_company()
    with Sandbox(world, token=TOKEN) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        with token_lock(database, token_identity(TOKEN)):
            process = subprocess.Popen(
                [sys.executable, "-m", "perfcopilot_goals.cli", "employee", "suggest", "acme"],
                env=environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stderr is not None
            waiting = "acme: another sync is using the same Asana token; waiting until it is done.\n"
            assert process.stderr.readline() == waiting
            time.sleep(0.5)
            assert asana.requests == []
        shown, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "2 exact" in shown
        assert len(asana.requests) == 1


def test_a_workspace_of_many_users_is_asked_at_the_tokens_pace(cli: Cli, tmp_path: Path) -> None:
    """13 pages at 120 a minute with a burst of 10: none is rejected by a server that allows just that."""
    world = sample_company()
    for number in range(1_200):
        world.people[f"13{number:06}"] = Person(f"13{number:06}", f"Guest {number}")
    with Sandbox(world, token=TOKEN, requests_per_minute=120, burst=10) as asana:
        connect(cli, asana, roster_of(world, tmp_path))
        assert cli("connection", "set", "acme", "--requests-per-minute", "120").returncode == 0
        shown = cli("employee", "suggest", "acme")
        assert (len(asana.requests), asana.rejected) == (13, 0)
    assert "2 exact" in shown.stdout
    assert "Asana does not show this token the e-mails of 1201 users" in shown.stdout
