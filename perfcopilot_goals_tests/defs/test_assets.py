"""The five assets as one sync, against a stand-in Asana and a real Postgres."""

import datetime as dt
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.asana.client import GRACE_SECONDS
from perfcopilot_goals.asana.pacing import token_identity
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.progress import Progress
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Fault, Goal, Request, Response, Sandbox
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import read_connection, remove_connection, set_connection
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.defs.running_instance import (
    ALLOW_EMPTY,
    TOKEN,
    Running,
    error_code,
    failure,
    metadata_of,
    results,
    small_world,
    without_stamp,
    written,
)
from perfcopilot_goals_tests.scripted_faults import Script, asks_subgoals_of


def change(running: Running, **changes: Any) -> None:
    with running.database.connect("changing") as conn:
        set_connection(conn, running.name, changes)


def test_a_sync_brings_every_mapped_employees_goals_into_a_block(running: Running) -> None:
    assert running.sync().success
    assert running.block("E1").splitlines() == [
        "[GOALS]",
        "- Goal (status: at_risk): Grow web traffic by 30%",
        "  - KR (status: on_track): Publish ten posts",
        "  - KR (status: off_track): Find a colour",
        "- Goal (status: completed): Hire two engineers",
        "[/GOALS]",
    ]
    assert running.block("E2").splitlines() == [
        "[GOALS]",
        "- Goal (status: on_track): Keep the shop calm",
        "  - KR (status: off_track): Find a colour",
        "- Goal (status: on_track): Publish ten posts",
        "[/GOALS]",
    ]
    assert [row["employee_id"] for row in running.rows("prompt_blocks")] == ["E1", "E2"]
    assert len(running.rows("raw_workspace_goals")) == 7


def test_the_same_responses_give_the_same_rows(running: Running) -> None:
    running.sync()
    before = running.slices()
    running.sync()
    after = running.slices()
    assert without_stamp(after) == without_stamp(before)
    assert {row["run_id"] for rows in before.values() for row in rows}.isdisjoint(
        row["run_id"] for rows in after.values() for row in rows
    )


def test_all_five_tables_carry_the_moment_when_the_fetch_began(running: Running) -> None:
    began = dt.datetime.now(dt.UTC)
    result = running.sync()
    ended = dt.datetime.now(dt.UTC)
    stamps = {(table, row["synced_at"], row["run_id"]) for table, rows in running.slices().items() for row in rows}
    (sync,) = running.sync_log()
    assert stamps == {(table, sync["synced_at"], result.run_id) for table in SLICE_TABLES}
    assert began <= dt.datetime.fromisoformat(sync["synced_at"]) <= ended
    assert (sync["state"], sync["run_id"], sync["error_code"]) == ("complete", result.run_id, None)


def test_the_sync_log_has_what_the_sync_cost_and_by_which_route(running: Running) -> None:
    running.sync()
    (sync,) = running.sync_log()
    assert (sync["requests"], sync["throttled"]) == (running.asana.count(), 0)
    assert sync["subgoal_route"] == "goal_relationships"
    assert {table: entry["rows"] for table, entry in sync["counts"]["tables"].items()} == {
        table: len(rows) for table, rows in running.slices().items()
    }


def test_each_materialization_has_the_same_numbers_to_plot(running: Running) -> None:
    result = running.sync()
    sent = {table: metadata_of(result, table) for table in SLICE_TABLES}
    for shown in sent.values():
        assert {"rows", "seconds", "requests", "throttled", "pages"} <= shown.keys()
    assert sum(shown["requests"] for shown in sent.values()) == running.asana.count()
    assert {table for table, shown in sent.items() if shown["requests"]} == {"raw_workspace_goals", "subgoals"}
    assert {table for table, shown in sent.items() if "truncated_employees" in shown} == {
        "owned_goals",
        "prompt_blocks",
    }
    assert sent["raw_workspace_goals"]["workspace_gid"] == running.world.workspace_gid


def test_the_next_sync_begins_with_the_route_that_worked(running: Running) -> None:
    running.sync()
    first = running.asana.count()
    running.sync()
    # Neither the route that is not there nor, on the same day, the users are asked for again.
    assert running.asana.count() - first == first - 2
    assert running.asana.count("/goals/101/subgoals") == running.asana.count("/users") == 1


def test_a_renamed_a_deleted_and_a_reowned_goal_are_so_after_the_next_sync(running: Running) -> None:
    running.sync()
    running.world.rename("101", "Grow web traffic by 40%")
    running.world.delete("102")
    running.world.reown("103", "1")
    running.sync()
    assert running.block("E1").splitlines()[1:-1] == [
        "- Goal (status: at_risk): Grow web traffic by 40%",
        "  - KR (status: on_track): Publish ten posts",
        "  - KR (status: off_track): Find a colour",
        "- Goal (status: on_track): Keep the shop calm",
        "  - KR (status: off_track): Find a colour",
    ]
    assert running.block("E2").splitlines()[1:-1] == ["- Goal (status: on_track): Publish ten posts"]
    assert not [row for rows in running.slices().values() for row in rows if row.get("goal_gid") == "102"]


def test_an_unmapped_employee_loses_the_block_with_the_next_sync(running: Running) -> None:
    running.sync()
    running.map("E2", None)
    running.sync()
    assert [row["employee_id"] for row in running.rows("prompt_blocks")] == ["E1"]
    assert {row["employee_id"] for row in running.rows("mapped_goal_rows")} == {"E1"}


@pytest.mark.fault("G10")
def test_one_connection_that_fails_leaves_the_others_unharmed(running: Running) -> None:
    """A wrong GID in one of two connections."""
    good, bad = running.name, running.connect(f"{running.name}-bad")
    with running.database.connect("breaking") as conn:
        set_connection(conn, bad, {"workspace_gid": "88"})
    assert running.sync(good).success
    before = running.slices(good)
    result = running.sync(bad)
    assert error_code(result) == "GoalsConfigError"
    assert "Asana knows no workspace 88" in failure(result)
    assert f"connection set {bad} --workspace-gid" in failure(result)
    assert running.slices(good) == before
    assert not any(running.slices(bad).values())
    assert [row["state"] for row in running.sync_log(good) + running.sync_log(bad)] == ["complete", "failed"]
    with running.database.connect("mending") as conn:
        set_connection(conn, bad, {"workspace_gid": "77"})
    assert running.sync(bad).success
    assert without_stamp(running.slices(bad)) == without_stamp(before)


@pytest.mark.parametrize("gid", [None, "12e3"])
def test_without_a_gid_nothing_is_pulled_and_nothing_changes(running: Running, gid: str | None) -> None:
    running.sync()
    before, asked = running.slices(), running.asana.count()
    change(running, workspace_gid=gid)
    result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert "its Asana workspace GID is not" in failure(result)
    assert f"perfcopilot-goals connection set {running.name} --workspace-gid" in failure(result)
    assert running.asana.count() == asked
    assert running.slices() == before
    failed = running.sync_log()[-1]
    assert (failed["state"], failed["error_code"], failed["requests"]) == ("failed", "GoalsConfigError", 0)


@pytest.mark.parametrize("token", [None, "", "  \n", "two words"], ids=repr)
@pytest.mark.fault("D1")
def test_without_a_token_nothing_is_pulled_either(
    running: Running, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    monkeypatch.delenv("ASANA_ACCESS_TOKEN")
    if token is not None:
        monkeypatch.setenv("ASANA_ACCESS_TOKEN", token)
    result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert "ASANA_ACCESS_TOKEN" in failure(result)
    assert running.asana.count() == 0


@pytest.mark.fault("D2")
def test_a_token_with_a_line_feed_at_its_end_works(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", f"{TOKEN}\n")
    assert running.sync().success


@pytest.mark.fault("D4")
def test_a_base_url_on_another_host_is_never_asked(running: Running) -> None:
    change(running, base_url="https://app.asana.com.evil.example/api/1.0")
    result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert "no request was sent" in failure(result)


def edited(changes: dict[str, Any]) -> Fault:
    return faults.edit_rows(lambda row: row | changes)


REFUSALS: list[tuple[str, Fault, dict[str, Any], str]] = [
    ("a token that is not accepted", faults.status(401, "Not Authorized"), {"path": "/goals"}, "AsanaAccessError"),
    ("a plan without goals", faults.status(402, "Payment Required"), {"path": "/goals"}, "AsanaAccessError"),
    ("no access", faults.status(403, "Forbidden"), {"path": "/goals"}, "AsanaAccessError"),
    ("a token revoked in the walk", faults.status(401), {"when": asks_subgoals_of("103")}, "AsanaAccessError"),
    ("a page for people", faults.html(), {"path": "/goals"}, "AsanaContractError"),
    ("no data", faults.without("data"), {"path": "/goals"}, "AsanaContractError"),
    ("an object for a name", edited({"name": {}}), {"path": "/goals"}, "AsanaContractError"),
    ("another workspace", edited({"workspace": {"gid": "88"}}), {"path": "/goals"}, "AsanaContractError"),
]


def test_a_refusal_is_reported_by_its_class_and_changes_no_block(running: Running) -> None:
    running.sync()
    before = running.slices()
    for kind, fault, where, code in REFUSALS:
        asked = running.asana.count()
        running.asana.faults = Script().on(fault, **where)
        result = running.sync()
        assert error_code(result) == code, kind
        assert failure(result).startswith(f"{code}: connection {running.name}: "), kind
        for table in ("subgoals", "mapped_goal_rows", "prompt_blocks"):
            assert running.rows(table) == before[table], kind
        failed = running.sync_log()[-1]
        assert (failed["state"], failed["error_code"]) == ("failed", code), kind
        assert failed["requests"] == running.asana.count() - asked, kind


SHAPES = [
    ({"name": None}, "/goals", "GET /goals: object 101: field name is null, not text"),
    ({"due_on": "soon"}, "/goals", "GET /goals: object 101: field due_on is other text, not a date written YYYY-MM-DD"),
    ({"owner": {}}, "/goals", "GET /goals: object 101: field owner.gid is missing, not a string of digits"),
    (
        {"supporting_resource": {"gid": "106", "name": None}},
        "/goal_relationships",
        "GET /goal_relationships of goal 101: object 106: field owner was asked for but did not come",
    ),
]


@pytest.mark.parametrize(("changes", "path", "what"), SHAPES, ids=["null name", "bad date", "owner", "key result"])
@pytest.mark.fault("C33")
def test_a_response_of_another_shape_is_reported_with_connection_request_object_field_and_action(
    changes: dict[str, Any], path: str, what: str, running: Running
) -> None:
    running.asana.faults = Script().on(edited(changes), path=path)
    assert failure(running.sync()) == (
        f"AsanaContractError: connection {running.name}: {what}; no block was changed. Run it again; if the error "
        "stays, Asana's API has changed: upgrade perfcopilot-goals or report it"
    )


@pytest.mark.fault("C32")
def test_a_request_that_asana_rejects_is_reported_and_changes_nothing(running: Running) -> None:
    running.sync()
    before = running.slices()
    running.asana.faults = Script().on(faults.status(400, "opt_fields: Unknown field"), path="/goals")
    assert failure(running.sync()).startswith(
        f"AsanaContractError: connection {running.name}: GET /goals answered 400: Asana refused the request's fields "
        "or parameters; no block was changed. Check the connection's base URL."
    )
    assert running.slices() == before


@pytest.mark.fault("B2")
def test_a_token_revoked_on_a_later_page_changes_nothing(running: Running) -> None:
    for number in range(250):
        running.world.add(Goal(f"2{number:03}", "More", "1"))
    running.sync()
    before = running.slices()
    running.world.delete("101")
    running.asana.faults = Script().on(faults.status(401), path="/goals", first=3)
    assert error_code(running.sync()) == "AsanaAccessError"
    assert running.slices() == before


@pytest.mark.parametrize(
    "hidden", [faults.status(404, "goal: Unknown object: 0"), faults.status(403, "Forbidden")], ids=["404", "403"]
)
def test_goals_that_vanish_during_the_walk_are_named_and_change_nothing_of_anybody_elses(
    hidden: Fault, running: Running
) -> None:
    gids = [f"30{number}" for number in range(5)]
    for gid in gids:
        running.world.add(Goal(gid, "Short-lived", "1"))
        running.world.add(Goal(f"{gid}9", "Child of a goal that vanishes", "2"), gid)
    assert running.sync().success
    whole = without_stamp(running.slices())
    running.asana.faults = Script().on(hidden, when=asks_subgoals_of(*gids))
    result = running.sync(checked=True)
    assert result.success
    check = results(result)["every_subgoal_list_was_read"]
    assert (check.passed, check.severity.value, check.metadata["count"].value) == (False, "WARN", 5)
    assert sorted(str(check.metadata["ids"].value).split(", ")) == gids
    found = without_stamp(running.slices())
    assert found["raw_workspace_goals"] == whole["raw_workspace_goals"]
    assert found["owned_goals"] == whole["owned_goals"]
    assert found["subgoals"] == [row for row in whole["subgoals"] if row["goal_gid"] not in gids]
    for table in ("mapped_goal_rows", "prompt_blocks"):
        others = [[row for row in rows[table] if row["employee_id"] != "E1"] for rows in (found, whole)]
        assert others[0] == others[1] != []
    (was,) = (row["block"] for row in whole["prompt_blocks"] if row["employee_id"] == "E1")
    assert was.count("  - KR (status: on_track): Child of a goal that vanishes") == 5
    assert running.block("E1") == was.replace("  - KR (status: on_track): Child of a goal that vanishes\n", "")


def test_a_list_that_cannot_be_read_after_retries_fails_the_sync(running: Running) -> None:
    # The list repeats an offset for ever; a status that is retried would wait for seconds.
    running.asana.faults = Script().on(faults.loop_offsets(), path="/goal_relationships")
    running.sync()
    running.asana.faults = Script().on(faults.html(), when=asks_subgoals_of("103"))
    assert error_code(running.sync()) == "AsanaContractError"


@pytest.mark.fault("B11")
def test_no_goals_where_some_were_is_refused_until_it_is_allowed(running: Running) -> None:
    running.sync()
    before = running.slices()
    for gid in list(running.world.goals):
        running.world.delete(gid)
    asked = running.asana.count()
    result = running.sync()
    assert error_code(result) == "GoalsGuardError"
    assert f"perfcopilot-goals sync {running.name} --allow-empty" in failure(result)
    assert running.slices() == before
    assert running.sync_log()[-1]["requests"] == running.asana.count() - asked == 1

    allowed = running.sync(run_config=ALLOW_EMPTY, checked=True)
    assert allowed.success
    assert {table: len(rows) for table, rows in running.slices().items()} == dict.fromkeys(SLICE_TABLES, 0) | {
        "prompt_blocks": 2
    }
    assert running.block("E1").splitlines() == ["[GOALS]", "- (no goals)", "[/GOALS]"]
    entry = running.sync_log()[-1]["counts"]["tables"]["raw_workspace_goals"]
    assert (entry["rows"], entry["notes"]["allow_empty"]) == (0, True)
    assert results(allowed)["workspace_has_goals"].passed is False


@pytest.mark.fault("B13")
def test_the_very_first_sync_may_find_nothing(running: Running) -> None:
    for gid in list(running.world.goals):
        running.world.delete(gid)
    assert running.sync().success
    (sync,) = running.sync_log()
    assert (sync["state"], sync["counts"]["tables"]["raw_workspace_goals"]["rows"]) == ("complete", 0)


def test_a_workspace_whose_goals_are_all_strangers_gives_blocks_without_goals(running: Running) -> None:
    for gid in ("101", "102", "103", "106"):
        running.world.reown(gid, "9")
    assert running.sync().success
    assert running.block("E2").splitlines() == ["[GOALS]", "- (no goals)", "[/GOALS]"]


def watching(running: Running, act: Callable[[Request], None], path: str = "/goal_relationships") -> None:
    """From now on something happens once, at the first request to that path."""
    done: list[int] = []

    def fault(request: Request, response: Response) -> Response:
        if request.path == path and not done:
            done.append(request.number)
            act(request)
        return response

    running.asana.faults = fault


@pytest.mark.fault("E9")
def test_no_transaction_is_open_while_asana_is_asked(running: Running, database_url: str) -> None:
    seen: list[tuple[str, bool]] = []

    def look(_: Request) -> None:
        with psycopg.connect(database_url, autocommit=True) as admin:
            seen.extend(
                admin.execute(
                    "select state, xact_start is null and backend_xmin is null from pg_stat_activity "
                    "where application_name = 'perfcopilot_goals' and datname = current_database()"
                ).fetchall()
            )

    watching(running, look)
    assert running.sync().success
    assert set(seen) == {("idle", True)}


def test_who_is_mapped_while_a_sync_runs_gets_no_block_from_it_and_everybody_else_does(running: Running) -> None:
    """Her goals were not picked, so her block would say that she has none. On a first day many are mapped so."""
    running.world.add(Goal("301", "Cleo's goal", "3"))
    watching(running, lambda _: running.map("E3", "3"))
    result = running.sync(checked=True)
    assert result.success
    (block_check,) = [e for e in result.get_asset_check_evaluations() if e.check_name.startswith("every_mapped_emp")]
    assert (block_check.passed, block_check.metadata["ids"].value) == (False, "E3")
    assert {row["employee_id"] for row in running.rows("prompt_blocks")} == {"E1", "E2"}
    (sync,) = running.sync_log()
    assert (sync["state"], sync["counts"]["tables"]["prompt_blocks"]["notes"]["unmapped"]) == ("complete", ["E3"])
    assert running.sync().success
    assert "Cleo's goal" in running.block("E3")


@pytest.mark.parametrize("user", ["9", None], ids=["another user", "unmapped"])
def test_goals_that_were_taken_from_an_employee_while_the_sync_ran_do_not_come_back_with_it(
    user: str | None, running: Running
) -> None:
    """Her rows were deleted when she got another user; the sync had made them again from the first user's goals."""
    assert running.sync().success
    watching(running, lambda _: running.map("E1", user))
    result = running.sync()
    assert error_code(result) == "GoalsGuardError"
    assert "its goals were picked by an earlier state of who is mapped to whom" in failure(result)
    assert f"perfcopilot-goals sync {running.name}, or the job sync_goals in the UI" in failure(result)
    for table in ("mapped_goal_rows", "prompt_blocks"):
        assert {row["employee_id"] for row in running.rows(table)} == {"E2"}, table
    running.map("E1", "9")
    assert running.sync().success
    assert "A stranger's goal" in running.block("E1")


def test_a_run_of_a_part_does_not_use_goals_that_were_picked_by_an_earlier_roster(running: Running) -> None:
    """It has not read the roster that they were picked by, so it cannot tell who was mapped since."""
    assert running.sync().success
    running.map("E3", "3")
    result = running.sync(only=["mapped_goal_rows"])
    assert "its goals were picked by an earlier state of who is mapped to whom" in failure(result)


def test_a_workspace_that_is_changed_after_everything_was_fetched_gets_no_block_of_the_other_one(
    running: Running, real_instance: dg.DagsterInstance
) -> None:
    """The run goes on for a moment after its last request."""
    with psycopg.connect(running.database.url, autocommit=True) as admin:
        admin.execute(
            "create function perfcopilot_goals.turn() returns trigger language plpgsql as "
            "'begin update perfcopilot_goals.connections set workspace_gid = ''78''; return null; end'"
        )
        admin.execute(
            "create trigger turn after insert on perfcopilot_goals.subgoals execute function perfcopilot_goals.turn()"
        )
        try:
            result = running.sync()
        finally:
            admin.execute("drop function perfcopilot_goals.turn() cascade")
    assert error_code(result) == "GoalsConfigError"
    assert running.rows("subgoals")
    assert not running.rows("mapped_goal_rows")


@pytest.mark.parametrize("moment", ["goals listed", "goals walked"])
def test_a_workspace_that_is_changed_while_a_sync_runs_gets_nothing_of_the_other_one(
    running: Running, moment: str
) -> None:
    def change_workspace(progress: Progress | str) -> None:
        if isinstance(progress, Progress) and progress.what == moment:
            change(running, workspace_gid="78")

    running.definitions = build_definitions(load_settings(), report=change_workspace)
    result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert "the workspace was changed while the sync ran" in failure(result)
    assert not running.rows("mapped_goal_rows")
    assert bool(running.rows("raw_workspace_goals")) is (moment == "goals walked")


@pytest.mark.parametrize(
    "wrong",
    [{"workspace_gid": "78"}, {"base_url": "http://127.0.0.1:9/api/1.0"}, {"requests_per_minute": 1}],
    ids=["workspace", "base-url", "rate"],
)
def test_settings_that_are_mended_while_a_sync_waits_for_the_token_are_those_that_it_uses(
    running: Running, wrong: dict[str, Any]
) -> None:
    with running.database.connect("reading") as conn:
        right = read_connection(conn, running.name)
    change(running, **wrong)
    with ExitStack() as held:
        held.enter_context(token_lock(running.database, token_identity(TOKEN)))

        def mend(progress: Progress | str) -> None:
            if "waiting until it is done" in str(progress):
                change(running, **{name: getattr(right, name) for name in wrong})
                held.close()

        running.definitions = build_definitions(load_settings(), report=mend, clock=FakeClock())
        assert running.sync().success
    assert "Grow web traffic" in running.block("E1")


def test_a_connection_of_the_same_name_gets_nothing_of_a_sync_that_began_before_it(running: Running) -> None:
    def replace(progress: Progress | str) -> None:
        if isinstance(progress, Progress) and progress.what == "goals listed":
            with running.database.connect("removing") as conn:
                remove_connection(conn, running.name)
            running.connect()

    running.definitions = build_definitions(load_settings(), report=replace)
    result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert not any(running.slices().values())


def test_a_connection_that_is_removed_while_it_syncs_leaves_nothing(running: Running) -> None:
    def remove(_: Request) -> None:
        with running.database.connect("removing") as conn:
            remove_connection(conn, running.name)

    watching(running, remove)
    result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert not any(running.slices().values())
    assert running.sync_log() == []


@pytest.mark.fault("G8", "F9")
def test_a_sync_waits_while_another_one_has_the_token_however_long_that_is(running: Running) -> None:
    results = []
    clock, asked = FakeClock(), threading.Event()

    def note(progress: Progress | str) -> None:
        if "waiting until it is done" in str(progress):
            asked.set()

    running.definitions = build_definitions(load_settings(), report=note, clock=clock)
    with token_lock(running.database, token_identity(TOKEN)):
        waiting = threading.Thread(target=lambda: results.append(running.sync()))
        waiting.start()
        assert asked.wait(120)
        assert waiting.is_alive()
        assert running.asana.count() == 0
        # The wait is not taken from the sync's own time, of which this is more.
        clock.now += 2 * GRACE_SECONDS
    waiting.join(120)
    assert results[0].success
    log = running.instance.all_logs(results[0].run_id)
    told = f"{running.name}: another sync is using the same Asana token; waiting until it is done."
    assert [entry.user_message for entry in log].count(told) == 1


@pytest.mark.fault("D25")
def test_a_connection_without_employees_fails_before_any_request_and_before_it_waits_for_the_token(
    running: Running,
) -> None:
    with psycopg.connect(running.database.url) as conn:
        conn.execute("delete from perfcopilot_goals.employees where connection = %s", [running.name])
    with token_lock(running.database, token_identity(TOKEN)):
        result = running.sync()
    assert error_code(result) == "GoalsConfigError"
    assert f"perfcopilot-goals employee import {running.name} FILE.csv" in failure(result)
    assert [sync["error_code"] for sync in running.sync_log()] == ["GoalsConfigError"]
    change(running, workspace_gid=None)
    assert "workspace GID is not set" in failure(running.sync()), "the GID comes first"
    change(running, workspace_gid="77")
    assert running.asana.count() == 0

    assert running.sync(run_config=ALLOW_EMPTY).success
    assert len(running.rows("raw_workspace_goals")) == len(running.world.goals)
    assert running.rows("prompt_blocks") == []


def test_what_a_rejection_taught_is_reported(running: Running) -> None:
    running.asana.faults = Script().on(faults.status(429, "Busy"), first=3, times=1)
    running.definitions = build_definitions(load_settings(), clock=FakeClock())
    shown = metadata_of(running.sync(), "subgoals")
    assert (shown["throttled"], shown["slowed_to_percent"]) == (1, 80)
    running.asana.faults = None
    assert "slowed_to_percent" not in metadata_of(running.sync(), "subgoals")


def test_the_token_is_free_after_every_sync(running: Running) -> None:
    running.sync()
    change(running, workspace_gid=None)
    running.sync()
    taken: list[float] = []
    with token_lock(running.database, token_identity(TOKEN), wait_seconds=0, on_wait=taken.append):
        assert taken == []
    assert [sync["state"] for sync in running.sync_log()] == ["complete", "failed"]


def test_two_connections_with_a_token_each_keep_apart(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_TOKEN", "other")
    world = small_world()
    world.workspace_gid = "88"
    world.rename("101", "Another company's goal")
    with Sandbox(world, token="other") as other_asana:
        other = running.connect(
            f"{running.name}-b", token_ref="env:OTHER_TOKEN", base_url=other_asana.base_url, workspace_gid="88"
        )
        assert running.sync(other).success
        assert running.sync().success
        assert running.asana.count() == other_asana.count()
        assert {call.status for call in [*running.asana.requests, *other_asana.requests]} <= {200, 404}
    assert "Another company's goal" in running.block("E1", other)
    assert "Another company's goal" not in running.block("E1")


def test_an_asset_writes_nothing_when_one_before_it_failed(running: Running) -> None:
    running.asana.faults = Script().on(faults.status(401), when=asks_subgoals_of("101"))
    assert written(running.sync()) == ["raw_workspace_goals", "owned_goals"]


def data_versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    events = result.get_asset_materialization_events()
    return {e.asset_key.path[-1]: (e.materialization.tags or {})["dagster/data_version"] for e in events if e.asset_key}


def test_what_came_from_asana_has_another_data_version_with_each_run(running: Running) -> None:
    """Dagster takes equal code and inputs for equal rows; it would then call blocks current that are not."""
    first = data_versions(running.sync())
    running.world.rename("101", "Grow web traffic by 40%")
    second = data_versions(running.sync(only=["raw_workspace_goals"]))
    assert second["raw_workspace_goals"] != first["raw_workspace_goals"]


def test_a_limit_on_the_pool_is_waited_for_before_asana_is_asked(
    running: Running, real_instance: dg.DagsterInstance
) -> None:
    """It counts for every run, however it was started."""
    running.instance, storage = real_instance, real_instance.event_log_storage
    real_instance.add_dynamic_partitions("connections", [running.name])
    storage.set_concurrency_slots("asana", 1)
    storage.claim_concurrency_slot("asana", "another-run", "raw_workspace_goals")
    results = []
    waiting = threading.Thread(target=lambda: results.append(running.sync()))
    waiting.start()
    while not storage.get_concurrency_info("asana").pending_step_count:
        time.sleep(0.05)
    assert running.asana.count() == 0
    storage.free_concurrency_slots_for_run("another-run")
    waiting.join(60)
    assert results[0].success
    assert storage.get_concurrency_info("asana").active_slot_count == 0
    storage.delete_concurrency_limit("asana")
