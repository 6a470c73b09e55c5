"""A roster imported by any front: only shown, whole, or not at all."""

from pathlib import Path

import pytest

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.services.roster import ROSTER_BYTES, import_roster, read_roster_file
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_employees
from perfcopilot_goals.storage.erasure import erase_employee
from perfcopilot_goals_tests.storage.examples import add

HEADER = "employee_id;full_name;email;asana_user_gid"


def ids(database: Database) -> list[str]:
    with database.connect("looking") as conn:
        return [employee.employee_id for employee in read_employees(conn, "acme")]


def test_a_dry_run_says_what_an_import_would_change_and_changes_nothing(database: Database) -> None:
    add(database, "acme")
    import_roster(database, "acme", f"{HEADER}\nE1;Ana;;11\nE2;Bo;;\n")
    shown = import_roster(database, "acme", f"{HEADER}\nE1;Ana;;12\nE3;Cy;;\n", replaces=True, dry_run=True)
    assert (shown.changes.remapped, shown.changes.added, shown.removed) == (["E1"], ["E3"], ["E2"])
    assert ids(database) == ["E1", "E2"]
    import_roster(database, "acme", f"{HEADER}\nE1;Ana;;12\nE3;Cy;;\n", replaces=True)
    assert ids(database) == ["E1", "E3"]


def test_an_erased_person_is_left_out_and_not_counted_as_unmapped(database: Database) -> None:
    add(database, "acme")
    text = f"{HEADER}\nE1;Ana;ana@example.com;\nE2;Bo;;\nE3;Cy;;13\n"
    assert import_roster(database, "acme", text).unmapped == 2
    with database.connect("erasing") as conn:
        erase_employee(conn, "acme", "E1")
    again = import_roster(database, "acme", text)
    assert (again.erased, again.unmapped) == (1, 1)


def test_a_replace_never_skips_bad_lines(database: Database) -> None:
    add(database, "acme")
    import_roster(database, "acme", f"{HEADER}\nE1;Ana;;11\n")
    with pytest.raises(GoalsConfigError, match="would remove their employees; nothing was changed"):
        import_roster(database, "acme", f"{HEADER}\nE1;;;11\nE2;Bo;;\n", skip_bad=True, replaces=True)
    assert ids(database) == ["E1"]


@pytest.mark.parametrize("text", ["ID;Name\nE1;Ana\n", f"{HEADER}\nE1;;;11\n"], ids=["header", "line"])
def test_a_refused_file_names_the_connection(database: Database, text: str) -> None:
    add(database, "acme")
    with pytest.raises(GoalsConfigError, match=r"^GoalsConfigError: connection acme: ") as caught:
        import_roster(database, "acme", text)
    assert caught.value.connection == "acme"


@pytest.mark.fault("D28")
def test_a_file_without_end_is_given_up_at_the_size_of_no_roster(tmp_path: Path) -> None:
    (tmp_path / "zeros").symlink_to("/dev/zero")
    with pytest.raises(GoalsConfigError, match=f"zeros is larger than {ROSTER_BYTES // 2**20} MiB"):
        read_roster_file(tmp_path / "zeros")
