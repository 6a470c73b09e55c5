"""Reasons as syncs find them, and as the UI plots them."""

from typing import Any

from perfcopilot_goals.sandbox import Person
from perfcopilot_goals_tests.defs.running_instance import Running, metadata_of


def reasons(running: Running) -> dict[str, str]:
    return {row["employee_id"]: row["reason"] for row in running.rows("prompt_blocks")}


def counted(result: Any) -> dict[str, int]:
    metadata = metadata_of(result, "prompt_blocks")
    return {name.removeprefix("reason_"): n for name, n in metadata.items() if name.startswith("reason_") and n}


def test_a_block_that_lost_its_goals_says_so_until_there_are_some_again(running: Running) -> None:
    running.world.people["3"] = Person("3", "Cleo", None)
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


def test_a_user_whom_the_sync_finds_gone_explains_an_empty_block(running: Running) -> None:
    del running.world.people["2"]
    running.map("E3", "3")
    assert counted(running.sync()) == {"ok": 2, "asana_user_gone": 1}
    assert reasons(running) == {"E1": "ok", "E2": "ok", "E3": "asana_user_gone"}
    assert [row["employee_id"] for row in running.rows("employees") if row["asana_gone_at"]] == ["E2", "E3"]
