"""`employee import` with the files that people have: big, half wrong, newer than the roster, or of the wrong people."""

import json
import os
import re
import threading
from pathlib import Path

import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli
from perfcopilot_goals_tests.cli.small_company import ANA, BO, connect, small_company

HEADER = "employee_id,full_name,email,asana_user_gid"


@pytest.fixture
def acme(cli: Cli) -> Cli:
    """The command line with a connection that has nobody on its roster."""
    assert cli("connection", "add", "acme").returncode == 0
    return cli


def file_of(tmp_path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> str:
    path = tmp_path / "people.csv"
    path.write_text("\n".join([header, *lines, ""]), encoding)
    return str(path)


def people(cli: Cli) -> dict[str, str | None]:
    rows = json.loads(cli("employee", "list", "acme", "--json").stdout)
    return {row["employee_id"]: row["asana_user_gid"] for row in rows}


def test_twenty_bad_lines_of_five_thousand_are_named_and_nothing_changes_until_they_are_left_out(
    acme: Cli, tmp_path: Path
) -> None:
    wrong = [str(number) for number in range(100, 5_001, 250)]
    lines = [f"E{n},{'' if str(n) in wrong else 'Canary'},,{n}" for n in range(2, 5_002)]
    file = file_of(tmp_path, *lines)
    refused = acme("employee", "import", "acme", file)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(
        "GoalsConfigError: connection acme: nothing was imported; line 100: full_name is empty"
    )
    assert re.findall(r"line (\d+)", refused.stderr) == wrong
    assert "Canary" not in refused.stderr
    assert people(acme) == {}

    done = acme("employee", "import", "acme", file, "--skip-bad")
    assert done.returncode == 0
    assert "acme: 4980 added, 0 changed, 0 as they were." in done.stdout
    assert re.findall(r"left out, line (\d+): full_name is empty", done.stderr) == wrong
    assert len(wrong) == 20
    assert set(people(acme)) == {f"E{n}" for n in range(2, 5_002) if str(n) not in wrong}


def managers(cli: Cli) -> dict[str, str | None]:
    rows = json.loads(cli("employee", "list", "acme", "--json").stdout)
    return {row["employee_id"]: row["manager_email"] for row in rows}


def test_managers_come_with_a_column_of_theirs_and_outlive_a_file_without_it(acme: Cli, tmp_path: Path) -> None:
    file = file_of(
        tmp_path, "E1,Ada,ada@x.example,11,boss@x.example", "E2,Bo,bo@x.example,12,", header=f"{HEADER},manager_email"
    )
    done = acme("employee", "import", "acme", file)
    assert "Ignored" not in done.stdout
    assert managers(acme) == {"E1": "boss@x.example", "E2": None}
    again = acme("employee", "import", "acme", file_of(tmp_path, "E1,Ada,ada@x.example,11", "E2,Bo Li,bo@x.example,12"))
    assert "acme: 0 added, 1 changed, 1 as they were." in again.stdout
    assert managers(acme) == {"E1": "boss@x.example", "E2": None}
    acme("employee", "import", "acme", file_of(tmp_path, "E1,Ada,ada@x.example,11,", header=f"{HEADER},manager_email"))
    assert managers(acme) == {"E1": None, "E2": None}


def test_what_spreadsheets_write_is_read_and_other_columns_are_named(acme: Cli, tmp_path: Path) -> None:
    header = "Team;asana_user_gid;full_name;employee_id;email;Start date"
    file = file_of(tmp_path, "Sales;11;Zoë Thimble;E1;zoe@example.com;", header=header, encoding="utf-8-sig")
    done = acme("employee", "import", "acme", file)
    assert done.stdout.splitlines() == [
        "acme: 1 added, 0 changed, 0 as they were.",
        "Ignored columns: team, start date",
    ]
    assert people(acme) == {"E1": "11"}


def test_a_file_of_another_encoding_is_refused_without_quoting_it(acme: Cli, tmp_path: Path) -> None:
    file = file_of(tmp_path, "E1,Zoë Canary,,", encoding="latin-1")
    refused = acme("employee", "import", "acme", file)
    assert refused.returncode == 2
    assert "people.csv is not UTF-8 (line 2, byte " in refused.stderr
    assert "Canary" not in refused.stderr


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        pytest.param("sep=;\nemployee_id;full_name;email;asana_user_gid\nE1;Ana;;11\n", "utf-8", id="D26-sep"),
        pytest.param("employee_id\tfull_name\temail\tasana_user_gid\r\nE1\tZoë\t\t11\r\n", "utf-16", id="D28-unicode"),
    ],
)
def test_what_excel_calls_csv_and_unicode_text_is_imported(
    acme: Cli, tmp_path: Path, content: str, encoding: str
) -> None:
    (tmp_path / "people.txt").write_bytes(content.encode(encoding))
    done = acme("employee", "import", "acme", str(tmp_path / "people.txt"))
    assert (done.returncode, done.stderr) == (0, "")
    assert people(acme) == {"E1": "11"}


@pytest.mark.fault("D27")
def test_a_header_under_other_names_is_told_with_what_was_found(acme: Cli, tmp_path: Path) -> None:
    refused = acme("employee", "import", "acme", file_of(tmp_path, "E1;Canary;;", header="ID;Name;Mail;Asana"))
    assert refused.returncode == 2
    assert "missing: employee_id, full_name, email, asana_user_gid; found: ID, Name, Mail, Asana\n" in refused.stderr
    assert "Canary" not in refused.stderr


def test_a_file_too_large_for_a_roster_is_refused_and_a_pipe_is_read(acme: Cli, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    with large.open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    refused = acme("employee", "import", "acme", str(large))
    assert (refused.returncode, "large.csv is larger than 64 MiB" in refused.stderr) == (2, True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(f"{HEADER}\nE1,Ana,,11\n"))
    writer.start()
    assert acme("employee", "import", "acme", str(pipe)).returncode == 0
    writer.join(20)
    assert people(acme) == {"E1": "11"}


def test_a_blank_keeps_a_mapping_that_a_person_made(acme: Cli, tmp_path: Path) -> None:
    file = file_of(tmp_path, "E1,Ana,,", "E2,Bo,,")
    assert acme("employee", "import", "acme", file).returncode == 0
    assert acme("employee", "map", "acme", "E1", "11").returncode == 0
    again = acme("employee", "import", "acme", file)
    assert "acme: 0 added, 0 changed, 2 as they were." in again.stdout
    assert "1 kept their Asana user, because the file leaves it empty" in again.stdout
    assert "employee unmap acme EMPLOYEE" in again.stdout
    assert "1 of them are not mapped" in again.stdout
    assert people(acme) == {"E1": "11", "E2": None}
    assert acme("employee", "unmap", "acme", "E1").returncode == 0
    assert people(acme) == {"E1": None, "E2": None}


def test_a_line_that_claims_a_mapped_employees_user_is_bad(acme: Cli, tmp_path: Path) -> None:
    assert acme("employee", "import", "acme", file_of(tmp_path, "E1,Ana,,11")).returncode == 0
    file = file_of(tmp_path, "E2,Bo,,12", "E3,Cy,,11")
    refused = acme("employee", "import", "acme", file)
    assert refused.returncode == 2
    assert "line 3: asana_user_gid 11 belongs to E1 in the roster" in refused.stderr
    assert people(acme) == {"E1": "11"}
    skipped = acme("employee", "import", "acme", file, "--skip-bad")
    assert skipped.returncode == 0
    assert "left out, line 3: asana_user_gid 11" in skipped.stderr
    assert people(acme) == {"E1": "11", "E2": "12"}


def test_a_dry_run_shows_whom_an_import_would_touch_and_touches_nobody(acme: Cli, tmp_path: Path) -> None:
    assert acme("employee", "import", "acme", file_of(tmp_path, "E1,Ana,,11", "E2,Bo,,12", "E3,Cy,,")).returncode == 0
    file = file_of(tmp_path, "E1,Ana Ruiz,,19", "E3,Cy,,", "E4,Di,,", "E5,Ed,,")
    shown = acme("employee", "import", "acme", file, "--dry-run", "--replace")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[:6] == [
        "acme: nothing was changed. An import of this file would be:",
        "  added: 2 (E4, E5)",
        "  changed: 1 (E1)",
        "  removed: 1 (E2)",
        "  another Asana user than before: 1 (E1)",
        "  as they were: 1",
    ]
    without = acme("employee", "import", "acme", file, "--dry-run")
    assert "  removed: 0\n" in without.stdout
    assert "1 employees are not in the file and stay; --replace removes them." in without.stdout
    assert people(acme) == {"E1": "11", "E2": "12", "E3": None}


def test_only_a_replace_removes_and_the_next_sync_takes_the_block_with_it(
    cli: Cli, roster: Path, tmp_path: Path
) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("sync", "acme").returncode == 0
        file = file_of(tmp_path, f"E1,Ana,,{ANA}")
        stayed = cli("employee", "import", "acme", file)
        assert "2 employees are not in the file and stay" in stayed.stdout
        assert set(people(cli)) == {"E1", "E2", "E3"}
        removed = cli("employee", "import", "acme", file, "--replace")
        assert "acme: 0 added, 0 changed, 1 as they were, 2 removed." in removed.stdout
        assert "disappear with the next sync: perfcopilot-goals sync acme" in removed.stdout
        assert people(cli) == {"E1": ANA}
        moved = cli("employee", "import", "acme", file_of(tmp_path, "E1,Ana,,19"))
        assert "Another Asana user than before: 1 (E1). Their blocks are gone" in moved.stdout
        assert "there is no block for employee E1 yet" in cli("prompt", "acme", "E1").stderr
        assert cli("employee", "import", "acme", file_of(tmp_path, f"E1,Ana,,{ANA}")).returncode == 0
        gone = cli("prompt", "acme", "E2")
        assert (gone.returncode, gone.stdout) == (2, "")
        assert cli("sync", "acme").returncode == 0
        back = cli("employee", "import", "acme", file_of(tmp_path, f"E2,Bo,,{BO}"))
        assert back.returncode == 0
    assert "there is no block for employee E2 yet" in cli("prompt", "acme", "E2").stderr


@pytest.mark.parametrize(
    ("lines", "options", "says"),
    [
        (["E1,,,"], ["--replace"], "line 2: full_name is empty"),
        (["E1,,,"], ["--replace", "--skip-bad"], "would remove the employees of bad lines"),
        ([], ["--replace"], "names nobody, and --replace would remove all"),
    ],
    ids=["bad-line", "skipping", "empty-file"],
)
def test_a_replace_by_a_file_that_is_not_whole_removes_nobody(
    acme: Cli, tmp_path: Path, lines: list[str], options: list[str], says: str
) -> None:
    assert acme("employee", "import", "acme", file_of(tmp_path, "E1,Ana,,11", "E2,Bo,,")).returncode == 0
    refused = acme("employee", "import", "acme", file_of(tmp_path, *lines), *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert says in refused.stderr
    assert people(acme) == {"E1": "11", "E2": None}
