"""How all connections stand: each value is of the right one of a connection's syncs, whichever came last."""

import datetime as dt

import psycopg
from psycopg.types.json import Jsonb

from perfcopilot_goals.domain.connection import ConnectionHealth
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.status import read_connection_health
from perfcopilot_goals_tests.storage.examples import MONDAY, add

BLOCKS: dict[str, object] = {"prompt_blocks": {}}
HOUR = dt.timedelta(hours=1)


def walked(unread: int) -> dict[str, object]:
    return {"subgoals": {"notes": {"unread_lists": unread}}}


def made_of(walk: int, *, connection: str = "acme", rows: int | None = None) -> dict[str, object]:
    """Blocks of the rows of that hour's sync, and rows of that hour's walk."""
    made: dict[str, object] = {"mapped_goal_rows": {"inputs": {"subgoals": f"{connection}-{walk}"}}}
    of = {"mapped_goal_rows": f"{connection}-{walk if rows is None else rows}"}
    blocks: dict[str, object] = {"prompt_blocks": {"inputs": of}}
    return blocks | (made if rows is None else {})


def enter(database: Database, name: str, hour: int, state: str, counts: dict[str, object]) -> None:
    """A sync that began so many hours after the first."""
    with psycopg.connect(database.url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, state, error_code, counts)"
            " values (%s, %s, %s, %s, %s, %s, %s)",
            [name, f"{name}-{hour}", *2 * [MONDAY + hour * HOUR], state, "Broken" if state == "failed" else None,
             Jsonb(counts)],
        )  # fmt: skip


def health(database: Database) -> dict[str, ConnectionHealth]:
    with database.connect("looking") as conn:
        return {one.connection: one for one in read_connection_health(conn)}


def test_the_latest_sync_says_it_all_if_it_was_complete(database: Database) -> None:
    add(database, "acme")
    enter(database, "acme", 0, "complete", {"tables": made_of(0) | walked(5)})
    enter(database, "acme", 1, "complete", {"tables": made_of(1) | walked(2)})
    acme = health(database)["acme"]
    assert (acme.run_id, acme.state, acme.complete_at, acme.unread) == ("acme-1", "complete", MONDAY + HOUR, 2)


def test_behind_failed_and_partial_syncs_the_newest_that_says_it_is_found(database: Database) -> None:
    add(database, "acme", "never", "new")
    enter(database, "acme", 0, "complete", {"tables": made_of(0) | walked(7)})
    enter(database, "acme", 1, "complete", {"tables": made_of(1) | walked(3)})
    enter(database, "acme", 2, "complete", {"tables": made_of(1, rows=1)})
    # A later walk, which no block is made from.
    enter(database, "acme", 3, "complete", {"tables": {"owned_goals": {}} | walked(0)})
    enter(database, "acme", 4, "failed", {"remedy": "Mend it"})
    enter(database, "never", 0, "failed", {"tables": BLOCKS})
    enter(database, "never", 1, "failed", {})
    seen = health(database)
    acme, never = seen["acme"], seen["never"]
    assert (acme.run_id, acme.state, acme.error_code, acme.remedy) == ("acme-4", "failed", "Broken", "Mend it")
    assert (acme.complete_at, acme.unread) == (MONDAY + 2 * HOUR, 3)
    assert (never.run_id, never.complete_at, never.unread, never.remedy) == ("never-1", None, 0, None)
    assert seen["new"] == ConnectionHealth("new", has_workspace_gid=True, has_roster=False)


def test_goals_of_a_former_workspace_are_told_until_it_is_theirs_again(database: Database) -> None:
    add(database, "acme", "known", "unknown")
    for name, gid in (("acme", "76"), ("known", "77"), ("unknown", None)):
        notes = {"workspace_gid": gid} if gid else {}
        enter(database, name, 0, "complete", {"tables": made_of(0) | {"raw_workspace_goals": {"notes": notes}}})
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set workspace_gid = '77'")
    changed = {name: one.workspace_changed for name, one in health(database).items()}
    assert changed == {"acme": True, "known": False, "unknown": False}
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set workspace_gid = '76'")
    assert not health(database)["acme"].workspace_changed


def test_a_retry_that_listed_nothing_has_the_workspace_of_the_run_that_did(database: Database) -> None:
    add(database, "acme")
    listed = {"raw_workspace_goals": {"notes": {"workspace_gid": "76"}}}
    enter(database, "acme", 0, "failed", {"tables": listed})
    enter(database, "acme", 1, "complete", {"tables": made_of(1)})
    assert not health(database)["acme"].workspace_changed
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.syncs set synced_at = %s", [MONDAY])
    assert health(database)["acme"].workspace_changed
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set workspace_gid = null")
    assert health(database)["acme"].workspace_changed
