"""`receipt` and `verify` as their user runs them, against a stand-in Asana: what they say, and their exit codes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.sandbox import Goal, Sandbox
from perfcopilot_goals.sandbox.company import sample_company
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import ANA, ANAS_BLOCK, BO, connect, roster_of, small_company
from perfcopilot_goals_tests.scripted_faults import Script

WEB, HIRE, POSTS = "1300000000000001", "1300000000000003", "1300000000000004"


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(small_company(), token=TOKEN) as asana:
        yield asana


@pytest.fixture
def synced(cli: Cli, asana: Sandbox, roster: Path) -> Cli:
    """The command line after a first sync of the small company."""
    connect(cli, asana, roster)
    sync(cli)
    return cli


def sync(cli: Cli) -> None:
    done = cli("sync", "acme")
    assert done.returncode == 0, done.stderr


def verify(cli: Cli, *arguments: str, code: int = 0, employee: str = "E1") -> dict[str, Any]:
    """The JSON of `verify`, after the command ended with that exit code."""
    done = cli("verify", "acme", employee, *arguments, "--json")
    assert (done.returncode, done.stderr) == (code, "")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["verifies"] == (code == 0)
    return found


def told(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The lines that do not just stand in the version."""
    return [
        (line["line"], line["result"], line["text"], line["goal_gid"])
        for line in found["lines"]
        if line["result"] != "stands"
    ]


def review(tmp_path: Path, block: str) -> str:
    """A file as somebody saves it on Windows: a review with the block in it."""
    path = tmp_path / "review.txt"
    text = f"Draft for the review.\n\n{block.strip()}\n\nSigned, the manager.\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    return str(path)


def change(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as conn:
        assert conn.execute(statement).rowcount == 1


def test_a_stored_block_verifies_and_each_line_has_its_goal_and_address(synced: Cli) -> None:
    found = verify(synced)
    assert (found["compared"], found["reason"], found["live"]) == ("stored", "as_stored", None)
    assert found["version"]["sha256"] == found["sha256"]
    assert found["version"]["is_present"]
    assert [(line["goal_gid"], line["key_result_gid"]) for line in found["lines"]] == [
        (None, None),
        (WEB, None),
        (WEB, POSTS),
        (HIRE, None),
        (None, None),
    ]
    assert found["lines"][2]["permalink"] == f"https://app.asana.com/0/goal/{POSTS}"
    shown = synced("verify", "acme", "E1")
    assert shown.returncode == 0
    first, *lines = shown.stdout.splitlines()
    assert first == f"acme: the block of E1 is as stored (SHA-256 {found['sha256']})"
    assert f"goal {HIRE}, https://app.asana.com/0/goal/{HIRE}" in "\n".join(lines)


def test_a_block_of_an_employee_without_goals_verifies(synced: Cli) -> None:
    found = verify(synced, employee="E2")
    assert [line["text"] for line in found["lines"]] == ["[GOALS]", "- (no goals)", "[/GOALS]"]


def test_an_employee_without_a_block_and_an_unknown_one_are_configuration(synced: Cli) -> None:
    for arguments, why in {
        ("acme", "E3"): "is not mapped to an Asana user",
        ("acme", "E9"): "has no employee 'E9'",
        ("nope", "E1"): "there is no connection 'nope'",
    }.items():
        done = synced("verify", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert why in done.stderr


@pytest.mark.parametrize(
    ("statement", "reason", "lines"),
    [
        (
            "update perfcopilot_goals.prompt_blocks set block = replace(block, 'at_risk', 'completed') "
            "where employee_id = 'E1'",
            "rows_differ",
            [(2, "changed", "- Goal (status: completed): Grow web traffic by 30%", WEB)],
        ),
        (
            f"update perfcopilot_goals.mapped_goal_rows set name = 'Hire nobody' where row_gid = '{HIRE}'",
            "rows_differ",
            [
                (4, "never_existed", "- Goal (status: completed): Hire two engineers", None),
                (None, "missing", "- Goal (status: completed): Hire nobody", HIRE),
            ],
        ),
        (
            f"delete from perfcopilot_goals.mapped_goal_rows where row_gid = '{POSTS}'",
            "rows_differ",
            [(3, "never_existed", "  - KR (status: on_track): Publish ten posts", None)],
        ),
        (
            "update perfcopilot_goals.block_versions set block = replace(block, 'ten', 'two') where employee_id = 'E1'",
            "version_differs",
            [(3, "changed", "  - KR (status: on_track): Publish ten posts", WEB)],
        ),
        (
            "update perfcopilot_goals.block_versions set sha256 = repeat('0', 64) where employee_id = 'E1'",
            "version_differs",
            [],
        ),
    ],
    ids=["block", "row", "lost row", "version", "digest"],
)
def test_whatever_was_changed_in_the_database_does_not_verify(
    synced: Cli, database_url: str, statement: str, reason: str, lines: list[tuple[Any, ...]]
) -> None:
    change(database_url, statement)
    found = verify(synced, code=8)
    assert found["reason"] == reason
    assert told(found) == lines
    shown = synced("verify", "acme", "E1")
    assert shown.returncode == 8
    assert shown.stderr == ""


def test_a_sync_that_died_after_the_rows_leaves_a_block_that_verifies(
    synced: Cli, asana: Sandbox, database_url: str
) -> None:
    """The rows are newer than the block; it is built from the versions that its own sync had."""
    with psycopg.connect(database_url) as conn:
        conn.execute(
            "create function perfcopilot_goals.die() returns trigger language plpgsql as $$ begin raise 'x'; end $$"
        )
        conn.execute(
            "create trigger die before insert on perfcopilot_goals.prompt_blocks "
            "execute function perfcopilot_goals.die()"
        )
    asana.world.rename(HIRE, "Hire three engineers")
    assert synced("sync", "acme").returncode == 7
    found = verify(synced)
    assert found["lines"][3]["text"] == "- Goal (status: completed): Hire two engineers"
    failed = synced("receipt", "acme")
    assert failed.returncode == 0
    assert "The last sync of acme failed (GoalsStoreError)" in failed.stderr


def test_the_block_of_an_earlier_moment_is_built_from_the_goals_of_then(synced: Cli, asana: Sandbox) -> None:
    first = verify(synced)
    asana.world.rename(HIRE, "Hire three engineers")
    asana.world.reown(WEB, BO)
    sync(synced)
    found = verify(synced, "--as-of", first["version"]["visible_from"])
    assert (found["compared"], found["reason"], found["sha256"]) == ("as_of", "as_stored", first["sha256"])
    assert not found["version"]["is_present"]
    assert synced("verify", "acme", "E1", "--as-of", "2020-01-01").returncode == 2
    assert synced("verify", "acme", "E1", "--as-of", "soon").returncode == 2


def test_a_changed_goal_of_then_does_not_verify(synced: Cli, asana: Sandbox, database_url: str) -> None:
    then = verify(synced)["version"]["visible_from"]
    asana.world.rename(HIRE, "Hire three engineers")
    sync(synced)
    change(
        database_url,
        f"update perfcopilot_goals.goal_versions set status = 'off_track' where row_gid = '{HIRE}' "
        "and visible_to is not null",
    )
    found = verify(synced, "--as-of", then, code=8)
    assert told(found) == [(4, "changed", "- Goal (status: completed): Hire two engineers", HIRE)]
    assert found["lines"][3]["closest"] == "- Goal (status: off_track): Hire two engineers"
    verify(synced)


def test_a_block_of_three_syncs_ago_is_found_in_a_review_and_its_version_is_named(
    synced: Cli, asana: Sandbox, tmp_path: Path
) -> None:
    first = verify(synced)["version"]
    for name in ("Hire three engineers", "Hire four engineers", "Hire five engineers"):
        asana.world.rename(HIRE, name)
        sync(synced)
    found = verify(synced, "--block", review(tmp_path, ANAS_BLOCK))
    assert (found["compared"], found["reason"]) == ("file", "as_stored")
    assert found["version"]["visible_from"] == first["visible_from"]
    assert not found["version"]["is_present"]
    shown = synced("verify", "acme", "E1", "--block", review(tmp_path, ANAS_BLOCK)).stdout
    assert f"version of {first['visible_from'][:10]}" in shown


@pytest.mark.parametrize("is_closed", [False, True], ids=["present", "closed"])
def test_a_forged_version_does_not_vouch_for_a_forged_file(
    synced: Cli, asana: Sandbox, database_url: str, tmp_path: Path, is_closed: bool
) -> None:
    if is_closed:
        asana.world.rename(HIRE, "Hire three engineers")
        sync(synced)
    change(
        database_url,
        "update perfcopilot_goals.block_versions set block = replace(block, 'at_risk', 'completed') "
        f"where employee_id = 'E1' and (visible_to is not null) = {is_closed}",
    )
    forged = ANAS_BLOCK.replace("at_risk", "completed")
    found = verify(synced, "--block", review(tmp_path, forged), code=8)
    assert found["reason"] == "version_differs"
    assert found["sha256"] != found["version"]["sha256"]


def test_an_intact_version_vouches_though_a_later_equal_one_was_forged(
    synced: Cli, asana: Sandbox, database_url: str, tmp_path: Path
) -> None:
    for name in ("Hire three engineers", "Hire two engineers"):
        asana.world.rename(HIRE, name)
        sync(synced)
    change(
        database_url,
        "update perfcopilot_goals.block_versions set sha256 = repeat('0', 64) "
        "where employee_id = 'E1' and visible_to is null",
    )
    found = verify(synced, "--block", review(tmp_path, ANAS_BLOCK))
    assert (found["reason"], found["version"]["is_present"]) == ("as_stored", False)


def test_a_block_that_lost_or_got_blanks_on_its_way_says_so(synced: Cli, tmp_path: Path) -> None:
    mailed = ANAS_BLOCK.replace("engineers", "engineers  ")
    found = verify(synced, "--block", review(tmp_path, mailed), code=8)
    (line,) = [line for line in found["lines"] if line["result"] != "stands"]
    assert (line["line"], line["result"], line["differs"]) == (4, "changed", ["blanks"])
    shown = synced("verify", "acme", "E1", "--block", review(tmp_path, mailed)).stdout
    assert "was            the same but for blanks" in shown


def test_a_line_of_another_version_is_told_with_that_version(synced: Cli, asana: Sandbox, tmp_path: Path) -> None:
    first = verify(synced)["version"]["visible_from"].replace("+00:00", "Z")
    asana.world.rename(HIRE, "Hire three engineers")
    asana.world.add(Goal("1300000000000005", "Keep calm", ANA))
    sync(synced)
    block = synced("prompt", "acme", "E1").stdout.replace("Hire three", "Hire two")
    found = verify(synced, "--block", review(tmp_path, block), code=8)
    assert found["reason"] == "in_no_version"
    (line,) = [line for line in found["lines"] if line["result"] != "stands"]
    assert (line["line"], line["result"], line["version"], line["goal_gid"]) == (4, "other_version", first, HIRE)


def test_a_file_without_a_block_is_configuration_and_standard_input_is_a_file(synced: Cli, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.txt"
    nothing.write_text("There is none.", "utf-8")
    done = synced("verify", "acme", "E1", "--block", str(nothing))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("GoalsConfigError: the file with the block has no block")
    nothing.write_bytes(b"x" * (9 * 1024 * 1024))
    assert "is larger than 8 MiB" in synced("verify", "acme", "E1", "--block", str(nothing)).stderr
    assert synced("verify", "acme", "E1", "--block", str(tmp_path / "missing")).returncode == 2
    both = synced("verify", "acme", "E1", "--block", str(nothing), "--as-of", "2026-01-01")
    assert both.returncode == 2


def test_a_block_of_the_sample_company_with_a_changed_an_invented_and_a_missing_line(cli: Cli, tmp_path: Path) -> None:
    with Sandbox(sample_company(), token=TOKEN) as asana:
        connect(cli, asana, roster_of(asana.world, tmp_path))
        sync(cli)
        for employee in ("E001", "E003", "E005"):
            lines = cli("prompt", "acme", employee).stdout.rstrip("\n").split("\n")
            verify(cli, "--block", review(tmp_path, "\n".join(lines)), employee=employee)
            stored = verify(cli, employee=employee)["lines"]
            changed = lines[3].replace("(status: on_track)", "(status: completed)")
            changed = changed if changed != lines[3] else lines[3].replace("(status: ", "(status: not_")
            invented = "- Goal (status: completed): Juggle quartz sphinxes beyond vexing jukeboxes"
            forged = [*lines[:3], changed, *lines[4:6], *lines[7:-1], invented, lines[-1]]
            found = verify(cli, "--block", review(tmp_path, "\n".join(forged)), employee=employee, code=8)
            assert told(found) == [
                (4, "changed", changed, stored[3]["goal_gid"]),
                (len(forged) - 1, "never_existed", invented, None),
                (None, "missing", lines[6], stored[6]["goal_gid"]),
            ]
            assert found["lines"][3]["closest"] == lines[3]
            assert found["lines"][3]["differs"] == ["status"]
            assert found["lines"][-1]["permalink"].endswith(stored[6]["key_result_gid"] or stored[6]["goal_gid"])


def test_live_says_what_has_changed_since_and_does_not_change_the_verdict(synced: Cli, asana: Sandbox) -> None:
    quiet = verify(synced, "--live")["live"]
    assert [(goal["gid"], goal["result"]) for goal in quiet] == [
        (WEB, "unchanged"),
        (POSTS, "unchanged"),
        (HIRE, "unchanged"),
    ]
    asana.world.rename(WEB, "Grow [web] traffic by 40%")
    asana.world.goals[WEB] = replace(asana.world.goals[WEB], status_type="missed")
    asana.world.reown(WEB, BO)
    asana.world.delete(HIRE)
    asana.world.hidden.add(POSTS)
    before = asana.count()
    live = verify(synced, "--live")["live"]
    assert asana.count() - before == 3
    assert live == [
        {
            "gid": WEB,
            "permalink": f"https://app.asana.com/0/goal/{WEB}",
            "result": "changed",
            "changes": {
                "name": {"was": "Grow web traffic by 30%", "is": "Grow (web) traffic by 40%"},
                "status": {"was": "at_risk", "is": "off_track"},
                "owner": {"was": ANA, "is": BO},
            },
        },
        {"gid": POSTS, "permalink": f"https://app.asana.com/0/goal/{POSTS}", "result": "not_shown", "changes": {}},
        {"gid": HIRE, "permalink": f"https://app.asana.com/0/goal/{HIRE}", "result": "gone", "changes": {}},
    ]
    shown = synced("verify", "acme", "E1", "--live")
    assert shown.returncode == 0
    assert f"in Asana now: {HIRE} gone" in shown.stdout
    assert "Asked Asana about 3 cited goals. Goals that are new there are not looked for." in shown.stdout
    assert "Asked Asana about 0 cited goals." in synced("verify", "acme", "E2", "--live").stdout


@pytest.mark.parametrize(
    ("fault", "code", "why"),
    [
        (faults.status(401, "Not Authorized"), 3, "answered 401"),
        (faults.status(404, "No matching route for request"), 4, "Asana refused the request itself"),
        (faults.edit(lambda body: {"data": body["data"] | {"name": 7}}), 4, "field name is a number"),
        (faults.html(), 4, ""),
    ],
    ids=["401", "no route", "a number for a name", "HTML"],
)
def test_live_ends_as_asanas_refusal_says_and_tells_no_goal(
    synced: Cli, asana: Sandbox, fault: Any, code: int, why: str
) -> None:
    asana.faults = Script().on(fault, path="/goals/*")
    done = synced("verify", "acme", "E1", "--live")
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert "Grow web" not in done.stderr
    assert "connection acme" in done.stderr


def test_a_receipt_is_printed_with_its_equation_and_digests(synced: Cli) -> None:
    found = json.loads(synced("receipt", "acme", "--json").stdout)
    goals = found["goals"]
    assert (goals["listed"], goals["owned"], goals["ownerless"], goals["strangers"]) == (4, 2, 1, 1)
    assert found["result"] == "complete but for"
    assert found["but_for"] == {"employees_unmapped": {"count": 1, "ids": ["E3"]}}
    shown = synced("receipt", "acme", "--run", found["run_id"])
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert any(line.startswith("goals listed") and line.endswith("= 2 + 0 + 1 + 1 + 0") for line in lines)
    for table in found["tables"].values():
        assert any(table["sha256"] in line for line in lines)


def test_a_receipt_that_is_not_there_says_why(cli: Cli, asana: Sandbox, roster: Path) -> None:
    connect(cli, asana, roster)
    never = cli("receipt", "acme")
    assert (never.returncode, never.stdout) == (2, "")
    assert "there is no complete sync yet" in never.stderr
    sync(cli)
    unknown = cli("receipt", "acme", "--run", "nope")
    assert unknown.returncode == 2
    assert "there is no sync of run 'nope'" in unknown.stderr
    assert "perfcopilot-goals receipt acme --run " in unknown.stderr
    assert cli("receipt", "nope").returncode == 2


def test_after_a_failed_sync_a_program_learns_that_block_and_receipt_are_of_an_earlier_one(
    synced: Cli, asana: Sandbox
) -> None:
    commands = [("prompt", "acme", "E1", "--json"), ("receipt", "acme", "--json")]
    assert [json.loads(synced(*command).stdout)["failed_with"] for command in commands] == [None, None]
    asana.token = "another"
    assert synced("sync", "acme").returncode == 3
    for command in commands:
        later = synced(*command)
        assert json.loads(later.stdout)["failed_with"] == "AsanaAccessError"
        assert "is of an earlier one" in later.stderr


def test_a_program_learns_the_limit_that_a_plan_goes_by_and_what_asana_hides_and_an_erasure_could_not_do(
    synced: Cli,
) -> None:
    assert json.loads(synced("plan", "acme", "--json").stdout)["requests_per_minute"] == 60_000
    # Asana's stand-in knows no e-mails of the three.
    assert json.loads(synced("employee", "suggest", "acme", "--json").stdout)["hidden_emails"] == 3
    erased = json.loads(synced("employee", "erase", "acme", "E3", "--yes", "--json").stdout)
    assert (erased["is_unmapped"], erased["is_email_shared"], erased["running_syncs"]) == (True, False, 0)
