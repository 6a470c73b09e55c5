"""Input that can be corrected ends with code 2 and in words, never as an error of the program itself."""

import re
import socket
from pathlib import Path

import pytest

from perfcopilot_goals.cli.ports import free_port
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import connect, small_company


def test_a_schedule_that_is_none_is_named_by_its_variable(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        refused = cli("sync", "acme", PERFCOPILOT_SYNC_CRON="junk")
        assert asana.requests == []
    assert refused.returncode == 2
    assert "PERFCOPILOT_SYNC_CRON is 'junk', which is no cron schedule. Write five fields" in refused.stderr


def test_the_stand_in_says_that_its_port_is_taken(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = cli("sandbox", "--port", port)
    assert refused.returncode == 2
    assert f"port {port} is in use. Name another: perfcopilot-goals sandbox --port N" in refused.stderr


def test_the_stand_in_says_that_the_rosters_file_cannot_be_written(cli: Cli, tmp_path: Path) -> None:
    refused = cli("sandbox", "--port", "0", "--roster", str(tmp_path / "nowhere" / "roster.csv"))
    assert refused.returncode == 2
    assert "--roster: cannot be written: No such file or directory" in refused.stderr


def test_unmapping_who_is_not_mapped_changes_nothing_and_says_so(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
    assert cli("employee", "unmap", "acme", "E1").returncode == 0
    again = cli("employee", "unmap", "acme", "E1")
    assert (again.returncode, again.stdout) == (0, "E1 was not mapped to an Asana user. Nothing was changed.\n")


def test_mapping_to_another_user_says_that_the_block_of_the_first_is_gone(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("sync", "acme").returncode == 0
    moved = cli("employee", "map", "acme", "E1", "19")
    assert moved.returncode == 0
    assert "The block with that user's goals is gone." in moved.stdout
    assert "there is no block for employee E1 yet" in cli("prompt", "acme", "E1").stderr
    assert "The block" not in cli("employee", "map", "acme", "E1", "19").stdout


def test_dev_takes_two_ports_that_differ(cli: Cli, tmp_path: Path) -> None:
    refused = cli("dev", "--port", "3000", "--admin-port", "3000")
    assert refused.returncode == 2
    assert "--port and --admin-port are both 3000; name two" in refused.stderr
    # Dagster ends at once, as its folder is not there.
    ended = cli("dev", "--no-demo", "--port", "65535", DAGSTER_HOME=str(tmp_path / "nowhere"))
    assert "Dagster: http://127.0.0.1:65535 " in ended.stdout
    assert re.search(r"Admin page: http://127\.0\.0\.1:(?!65535)[0-9]+/admin ", ended.stdout)


@pytest.mark.parametrize("name", ["demo", "demo-wrong-gid"])
def test_a_connection_that_only_has_a_samples_name_is_not_overwritten(cli: Cli, name: str) -> None:
    assert cli("connection", "add", name, "--workspace-gid", "1200000000000001").returncode == 0
    before = cli("connection", "list", "--json").stdout
    commands = [["dev", "--port", str(free_port())]] + [["demo"]] * (name == "demo")
    for command in commands:
        refused = cli(*command)
        assert refused.returncode == 2
        assert f"GoalsConfigError: connection {name} is not the sample's" in refused.stderr
        assert "dev --no-demo" in refused.stderr
        assert cli("connection", "list", "--json").stdout == before


def test_without_dagsters_folder_no_connection_is_added_changed_or_removed(cli: Cli, tmp_path: Path) -> None:
    nowhere = {"DAGSTER_HOME": str(tmp_path / "nowhere")}
    assert cli("connection", "add", "acme").returncode == 0
    before = cli("connection", "list", "--json").stdout
    for words in (["add", "other"], ["set", "acme", "--disable"], ["remove", "acme"]):
        refused = cli("connection", *words, **nowhere)
        assert refused.returncode == 2
        assert "and there is no such folder" in refused.stderr
        assert cli("connection", "list", "--json").stdout == before
    assert cli("connection", "add", "other").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["prompt", "acme", "E\udcff1"],
        ["status", "\udcff"],
        ["sync", "\udcff"],
        ["employee", "map", "acme", "\udcff", "1"],
    ],
    ids=["prompt", "status", "sync", "map"],
)
def test_bytes_that_are_no_text_are_refused_as_input(cli: Cli, words: list[str]) -> None:
    assert cli("connection", "add", "acme").returncode == 0
    refused = cli(*words)
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.startswith("GoalsConfigError: ")
    # Where Postgres is not asked for it, it is not found.
    said = ("characters that Postgres cannot hold", "there is no connection", "has no employee")
    assert any(text in refused.stderr for text in said)


@pytest.mark.parametrize(
    ("setting", "value", "what_to_do"),
    [
        ("--workspace-gid", "abc", "Copy the number alone"),
        ("--token-ref", "zz", "such as env:ASANA_ACCESS_TOKEN"),
        ("--base-url", "https://app.asana.com.evil/", "PERFCOPILOT_ASANA_HOSTS"),
        ("--requests-per-minute", "0", "1,500"),
    ],
)
def test_a_wrong_setting_says_of_which_connection_and_what_to_do(
    cli: Cli, setting: str, value: str, what_to_do: str
) -> None:
    assert cli("connection", "add", "acme").returncode == 0
    refused = cli("connection", "set", "acme", setting, value)
    assert refused.returncode == 2
    assert refused.stderr.startswith("GoalsConfigError: connection acme: ")
    assert what_to_do in refused.stderr


@pytest.mark.parametrize("command", ["sync", "plan", "status", "connection check", "employee list", "receipt"])
def test_a_missing_database_names_the_connection_that_was_asked_for(cli: Cli, command: str) -> None:
    nowhere = {"PERFCOPILOT_DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1:1/goals"}
    refused = cli(*command.split(), "acme", **nowhere)
    assert refused.returncode == 7
    assert refused.stderr.startswith("GoalsStoreError: connection acme: ")
    assert "hunter2" not in refused.stderr


def test_a_missing_database_is_about_none_of_several_connections(cli: Cli) -> None:
    refused = cli("sync", "acme", "globex", PERFCOPILOT_DATABASE_URL="postgresql://somebody@127.0.0.1:1/goals")
    assert refused.returncode == 7
    assert refused.stderr.startswith("GoalsStoreError: ")
    assert "connection " not in refused.stderr.partition(";")[0].replace("connections at", "")


def test_a_configured_database_need_not_be_there_to_say_where_it_is(cli: Cli) -> None:
    url = "postgresql://somebody:hunter2@127.0.0.1:1/goals"
    said = cli("database-url", PERFCOPILOT_DATABASE_URL=url)
    assert (said.returncode, said.stdout) == (0, f"{url}\n")


def test_a_home_that_cannot_be_a_folder_is_a_wrong_setting(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for home in (file, file / "below"):
        refused = cli("status", PERFCOPILOT_DATABASE_URL="", PERFCOPILOT_HOME=str(home))
        assert refused.returncode == 2
        assert refused.stderr.startswith("GoalsConfigError: the folder for local state")
        assert "Set PERFCOPILOT_HOME" in refused.stderr


def test_a_gid_with_blanks_around_it_is_shown_as_it_was_stored(cli: Cli, roster: Path) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
    mapped = cli("employee", "map", "acme", "E3", " 19 ")
    assert mapped.returncode == 0
    assert "E3 is Asana user 19. " in mapped.stdout
