"""Where the leftovers search finds a text, and where the text only seems to be."""

from pathlib import Path

import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.erasure_scan import scan_for_leftovers
from perfcopilot_goals.storage.sync_log import begin_sync
from perfcopilot_goals_tests.storage.examples import add


@pytest.mark.parametrize(
    ("run_id", "is_there"),
    [
        ("ab" * 14 + "e003", False),
        ("0b7f8f3c-58c7-4f7e-a1d2-9be003a4c5d6", False),
        ("run of E003", True),
        ("e003", True),
        ("manual__e003", True),
    ],
    ids=["a hash", "a UUID", "by itself", "in lower case", "in a name"],
)
def test_a_short_id_is_found_everywhere_except_by_chance_in_a_hash(
    run_id: str, is_there: bool, database: Database, tmp_path: Path
) -> None:
    add(database, "acme")
    with database.connect("entering a sync") as conn:
        begin_sync(conn, "acme", run_id)
    settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})
    found = scan_for_leftovers(database, settings, ["E003"])
    assert found == ({"E003": ["perfcopilot_goals.syncs.run_id"]} if is_there else {})


@pytest.mark.fault("B42")
@pytest.mark.parametrize(
    ("looked_for", "is_there"),
    [("maß@example.com", False), ("MASS@example.com", True), ("straße", True)],
    ids=["another-address", "the-same-address", "a-text-in-whatever-spelling"],
)
def test_a_colleagues_address_that_only_casefold_makes_equal_is_not_the_erased_persons(
    looked_for: str, is_there: bool, database: Database, tmp_path: Path
) -> None:
    add(database, "acme")
    with database.connect("importing") as conn:
        import_employees(conn, "acme", [Employee("E2", "Lee Strasse", "mass@example.com", None)])
    settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})
    assert bool(scan_for_leftovers(database, settings, [looked_for])) is is_there


def test_an_id_of_digits_alone_is_no_hash_however_long(database: Database, tmp_path: Path) -> None:
    gid = "12" * 20
    add(database, "acme")
    with database.connect("entering a sync") as conn:
        begin_sync(conn, "acme", f"goal {gid}")
    settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")})
    assert scan_for_leftovers(database, settings, [gid]) == {gid: ["perfcopilot_goals.syncs.run_id"]}
