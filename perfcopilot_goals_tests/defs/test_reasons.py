"""Reasons as syncs find them, and as the UI plots them."""

from typing import Any

from perfcopilot_goals.storage.employees import note_users
from perfcopilot_goals_tests.defs.office import Office, figures


def reasons(office: Office) -> dict[str, str]:
    return {row["employee_id"]: row["reason"] for row in office.rows("prompt_blocks")}


def counted(result: Any) -> dict[str, int]:
    metadata = figures(result, "prompt_blocks")
    return {name.removeprefix("reason_"): n for name, n in metadata.items() if name.startswith("reason_") and n}


def test_a_block_that_lost_its_goals_says_so_until_there_are_some_again(office: Office) -> None:
    office.map("E3", "3")
    assert counted(office.sync()) == {"ok": 2, "owns_no_goals": 1}
    assert reasons(office) == {"E1": "ok", "E2": "ok", "E3": "owns_no_goals"}
    for gid in ("103", "106"):
        office.world.reown(gid, "9")
    asked = office.asana.count()
    assert counted(office.sync()) == {"ok": 1, "had_goals_before": 1, "owns_no_goals": 1}
    # One page, and E1's two goals; the background costs no request.
    assert office.asana.count() - asked == 3
    office.sync()
    assert reasons(office) == {"E1": "ok", "E2": "had_goals_before", "E3": "owns_no_goals"}
    office.world.reown("103", "2")
    office.sync()
    assert reasons(office)["E2"] == "ok"


def test_a_user_who_was_found_gone_explains_an_empty_block(office: Office) -> None:
    office.map("E3", "3")
    with office.database.connect("noting") as transaction:
        assert note_users(transaction, office.name, ["1"]) == ["E2", "E3"]
    assert counted(office.sync()) == {"ok": 2, "asana_user_gone": 1}
    assert reasons(office) == {"E1": "ok", "E2": "ok", "E3": "asana_user_gone"}
