"""Reasons as syncs find them, and as the UI plots them."""

from typing import Any

from perfcopilot_goals.storage.employees import note_users
from perfcopilot_goals_tests.defs.running_instance import Running, figures


def reasons(running: Running) -> dict[str, str]:
    return {row["employee_id"]: row["reason"] for row in running.rows("prompt_blocks")}


def counted(result: Any) -> dict[str, int]:
    metadata = figures(result, "prompt_blocks")
    return {name.removeprefix("reason_"): n for name, n in metadata.items() if name.startswith("reason_") and n}


def test_a_block_that_lost_its_goals_says_so_until_there_are_some_again(running: Running) -> None:
    running.map("E3", "3")
    assert counted(running.sync()) == {"ok": 2, "owns_no_goals": 1}
    assert reasons(running) == {"E1": "ok", "E2": "ok", "E3": "owns_no_goals"}
    for gid in ("103", "106"):
        running.world.reown(gid, "9")
    asked = running.asana.count()
    assert counted(running.sync()) == {"ok": 1, "had_goals_before": 1, "owns_no_goals": 1}
    # One page, and E1's two goals; the background costs no request.
    assert running.asana.count() - asked == 3
    running.sync()
    assert reasons(running) == {"E1": "ok", "E2": "had_goals_before", "E3": "owns_no_goals"}
    running.world.reown("103", "2")
    running.sync()
    assert reasons(running)["E2"] == "ok"


def test_a_user_who_was_found_gone_explains_an_empty_block(running: Running) -> None:
    running.map("E3", "3")
    with running.database.connect("noting") as transaction:
        assert note_users(transaction, running.name, ["1"]) == ["E2", "E3"]
    assert counted(running.sync()) == {"ok": 2, "asana_user_gone": 1}
    assert reasons(running) == {"E1": "ok", "E2": "ok", "E3": "asana_user_gone"}
