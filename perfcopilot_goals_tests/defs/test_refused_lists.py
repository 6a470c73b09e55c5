"""Incidents in which Asana refused lists of sub-goals, as whole syncs: what stands afterwards, and what is reported."""

from collections.abc import Sequence
from typing import Any

import pytest

from perfcopilot_goals.sandbox import Fault, Goal, World
from perfcopilot_goals.storage.blocks import read_block
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals.storage.status import read_connection_health, read_connection_status
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.defs.running_instance import (
    ALLOW_EMPTY,
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

FORBIDDEN = faults.status(403, "Forbidden")
UNKNOWN = faults.status(404, "supported_goal: Unknown object")
NOT_FOUND = faults.status(404, "Not Found")
KEPT = ("subgoals", "mapped_goal_rows", "prompt_blocks")


def company(goals: int, children: int = 1) -> World:
    """Ada owns so many goals, 1001 and on, each with so many key results; she does not own those."""
    small = small_world()
    world = World(small.workspace_gid, small.workspace_name, small.people, roster=small.roster)
    for number in range(1001, 1001 + goals):
        world.add(Goal(str(number), f"Goal {number}", "1"))
    for number in range(1001, 1001 + goals):
        for child in range(1, children + 1):
            world.add(Goal(f"{number}{child:02}", f"Key result {number}.{child}", None), str(number))
    return world


def syncing(running: Running, world: World, **options: Any) -> Running:
    """A connection to this company, which the sandbox of `running` serves from now on."""
    running.asana.api.worlds = (world,)
    for name, value in options.items():
        setattr(running.asana.api, name, value)
    other = Running(running.database, running.instance, running.definitions, running.asana)
    other.connect()
    return other


def gids(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


def answering(answers: dict[str, Fault]) -> Script:
    """Each of these goals' lists is answered so, by either route."""
    script = Script()
    for gid, fault in answers.items():
        script.on(fault, when=asks_subgoals_of(gid))
    return script


def check_nothing_changed(running: Running, before: dict[str, list[dict[str, Any]]]) -> None:
    """The old key results stand, to the byte, and so do rows and blocks; the sync is noted as failed."""
    for table in KEPT:
        assert running.rows(table) == before[table], table
    failed = running.sync_log()[-1]
    assert (failed["state"], failed["error_code"]) == ("failed", "AsanaAccessError")
    assert failed["counts"]["tables"].keys() == {"raw_workspace_goals", "owned_goals"}


def unread(result: Any) -> tuple[int, list[str]]:
    check = results(result)["every_subgoal_list_was_read"]
    told = str(check.metadata["ids"].value)
    assert check.passed is (told == "")
    return int(str(check.metadata["count"].value)), told.split(", ") if told else []


@pytest.mark.fault("B30")
@pytest.mark.parametrize("setting", ["auto", "goal_relationships"])
@pytest.mark.parametrize("deleted", [(), ("1004",)], ids=["none deleted", "one deleted"])
def test_a_token_that_lost_its_access_leaves_the_key_results_though_a_goal_was_deleted_too(
    running: Running, deleted: Sequence[str], setting: str
) -> None:
    """Six goals with six key results; then 403 for five and 404 for one that was deleted: all key results were gone."""
    ada = syncing(running, company(6))
    with ada.database.connect("setting the route") as conn:
        set_connection(conn, ada.name, {"subgoal_route": setting})
    assert ada.sync().success
    before = ada.slices()
    assert len(before["subgoals"]) == 6
    ada.asana.faults = answering({gid: UNKNOWN if gid in deleted else FORBIDDEN for gid in gids(1001, 1006)})
    for allowed in (None, ALLOW_EMPTY):
        result = ada.sync(run_config=allowed)
        assert error_code(result) == "AsanaAccessError"
        assert f"{6 - len(deleted)} of 6 answered 403" in failure(result)
        assert f"connection {ada.name}" in failure(result)
        check_nothing_changed(ada, before)
    ada.asana.faults = None
    assert ada.sync().success
    assert without_stamp(ada.slices()) == without_stamp(before)


@pytest.mark.fault("B30")
def test_the_only_goal_there_is_may_not_lose_its_key_results_either(running: Running) -> None:
    ada = syncing(running, company(1))
    ada.sync()
    before = ada.slices()
    ada.asana.faults = answering({"1001": FORBIDDEN})
    assert error_code(ada.sync()) == "AsanaAccessError"
    check_nothing_changed(ada, before)


@pytest.mark.fault("B30", "B33")
def test_the_route_of_last_time_says_not_found_and_the_other_refuses(running: Running) -> None:
    """It was no `No matching route`, so nobody took the route for gone; the sync went on with no key results."""
    ada = syncing(running, company(12), routes="both")
    assert ada.sync().success
    assert ada.sync_log()[-1]["subgoal_route"] == "subgoals"
    before = ada.slices()
    ada.asana.faults = Script().on(NOT_FOUND, path="/goals/*/subgoals").on(FORBIDDEN, path="/goal_relationships")
    assert error_code(ada.sync()) == "AsanaAccessError"
    check_nothing_changed(ada, before)
    # The next one begins with the route that worked.
    ada.asana.faults = None
    assert ada.sync().success
    assert without_stamp(ada.slices()) == without_stamp(before)
    assert ada.sync_log()[-1]["subgoal_route"] == "subgoals"


@pytest.mark.fault("B30")
def test_key_results_materialized_alone_are_guarded_as_in_a_whole_sync(running: Running) -> None:
    ada = syncing(running, company(6))
    ada.sync()
    before = ada.slices()
    ada.asana.faults = answering(dict.fromkeys(gids(1001, 1006), FORBIDDEN))
    result = ada.sync(only=["subgoals"])
    assert error_code(result) == "AsanaAccessError"
    assert {table: ada.rows(table) for table in KEPT} == {table: before[table] for table in KEPT}
    assert written(result) == []
    ada.asana.faults = answering(dict.fromkeys(gids(1001, 1005), FORBIDDEN))
    assert ada.sync(only=["subgoals"]).success
    assert [row["goal_gid"] for row in ada.rows("subgoals")] == ["1006"]


def test_all_goals_deleted_by_name_go_without_key_results_and_are_named(running: Running) -> None:
    ada = syncing(running, company(6))
    ada.sync()
    ada.asana.faults = answering(dict.fromkeys(gids(1001, 1006), UNKNOWN))
    result = ada.sync(checked=True)
    assert result.success
    assert ada.rows("subgoals") == []
    assert unread(result) == (6, gids(1001, 1006))


def test_an_address_that_responds_404_to_every_list_changes_nothing(running: Running) -> None:
    ada = syncing(running, company(6))
    ada.sync()
    before = ada.slices()
    ada.asana.faults = answering(dict.fromkeys(gids(1001, 1006), NOT_FOUND))
    assert error_code(ada.sync(run_config=ALLOW_EMPTY)) == "AsanaContractError"
    assert {table: ada.rows(table) for table in KEPT} == {table: before[table] for table in KEPT}


def test_one_goal_that_was_hidden_among_forty_loses_its_key_result_and_is_named(running: Running) -> None:
    ada = syncing(running, company(40))
    ada.sync()
    ada.asana.faults = answering({"1001": FORBIDDEN})
    result = ada.sync(checked=True)
    assert result.success
    assert [row["goal_gid"] for row in ada.rows("subgoals")] == gids(1002, 1040)
    assert unread(result) == (1, ["1001"])


@pytest.mark.fault("B31")
def test_a_fifth_of_the_goals_with_key_results_refused_is_a_token_that_lost_access_unless_it_is_allowed(
    running: Running,
) -> None:
    ada = syncing(running, company(40))
    ada.sync()
    before = ada.slices()
    ada.asana.faults = answering(dict.fromkeys(gids(1001, 1008), FORBIDDEN))
    result = ada.sync()
    assert error_code(result) == "AsanaAccessError"
    assert "8 of 40 goals with stored key results" in failure(result)
    assert f"perfcopilot-goals sync {ada.name} --allow-empty" in failure(result)
    check_nothing_changed(ada, before)

    allowed = ada.sync(run_config=ALLOW_EMPTY, checked=True)
    assert allowed.success
    assert [row["goal_gid"] for row in ada.rows("subgoals")] == gids(1009, 1040)
    assert unread(allowed) == (8, gids(1001, 1008))
    noted = ada.sync_log()[-1]["counts"]["tables"]["subgoals"]["notes"]
    assert (noted["allow_empty"], noted["unread_lists"]) == (True, 8)
    # What they had was given up: these lists have none to lose any more, so the next sync needs no leave.
    assert ada.sync().success


@pytest.mark.fault("B31")
def test_lists_that_never_were_readable_fail_no_sync(running: Running) -> None:
    """Eight of forty goals are private to others: their lists are refused each time."""
    ada = syncing(running, company(40, children=0))
    ada.asana.faults = answering(dict.fromkeys(gids(1001, 1008), FORBIDDEN))
    for _ in range(2):
        result = ada.sync(checked=True)
        assert result.success
        assert unread(result) == (8, gids(1001, 1008))
    assert ada.rows("subgoals") == []


@pytest.mark.fault("B31")
def test_what_another_connection_has_stored_does_not_count(running: Running) -> None:
    ada = syncing(running, company(40))
    ada.sync()
    newcomer = Running(running.database, running.instance, running.definitions, running.asana)
    newcomer.connect()
    newcomer.asana.faults = answering(dict.fromkeys(gids(1001, 1008), FORBIDDEN))
    assert newcomer.sync().success
    assert error_code(ada.sync()) == "AsanaAccessError"


@pytest.mark.fault("B32")
def test_hidden_sub_goals_are_named_by_parent_in_check_catalog_and_sync_log(running: Running) -> None:
    """Three of a goal's four sub-goals are private: the number stood in the run's metadata alone."""

    def hide(row: dict[str, Any]) -> dict[str, Any]:
        gid = row["supporting_resource"]["gid"]
        is_hidden = gid in ("100101", "100102", "100104", "100303")
        return row | {"supporting_resource": None} if is_hidden else row

    ada = syncing(running, company(4, children=4))
    healthy = ada.sync(checked=True)
    assert results(healthy)["no_subgoal_is_hidden"].passed
    ada.asana.faults = Script().on(faults.edit_rows(hide), path="/goal_relationships")
    result = ada.sync(checked=True)
    assert result.success
    check = results(result)["no_subgoal_is_hidden"]
    assert (check.passed, check.severity.value) == (False, "WARN")
    assert {name: value.value for name, value in check.metadata.items()} == {"count": 2, "ids": "1001: 3, 1003: 1"}
    assert metadata_of(result, "subgoals")["hidden_subgoals"] == 4
    noted = ada.sync_log()[-1]["counts"]["tables"]["subgoals"]["notes"]
    assert noted["hidden"] == [{"goal_gid": "1001", "count": 3}, {"goal_gid": "1003", "count": 1}]
    assert len(ada.rows("subgoals")) == 12


def lacking(running: Running) -> tuple[list[str], int]:
    """The goals of Ada's block that lack key results, and how many lists the present blocks lack, as people read it."""
    with running.database.connect("looking", snapshot=True) as conn:
        block = read_block(conn, running.name, "E1")
        (health,) = [one for one in read_connection_health(conn) if one.connection == running.name]
        assert read_connection_status(conn, running.name).unread_lists == health.unread
    return block.incomplete_goals, health.unread


def test_a_block_lacks_what_its_own_walk_lacked_whatever_a_later_walk_reads(running: Running) -> None:
    ada = syncing(running, company(20))
    ada.asana.faults = answering(dict.fromkeys(gids(1003, 1004), FORBIDDEN))
    assert ada.sync().success
    assert lacking(ada) == (["1003", "1004"], 2)
    # Now all can be read, but the block is not made anew: in the UI somebody materializes one asset alone.
    ada.asana.faults = None
    assert ada.sync(only=["subgoals"]).success
    assert lacking(ada) == (["1003", "1004"], 2)
    assert ada.sync(only=["mapped_goal_rows"]).success
    assert lacking(ada) == (["1003", "1004"], 2)
    assert ada.sync(only=["prompt_blocks"]).success
    assert lacking(ada) == ([], 0)
    # And the other way round: a later walk lacks some, but the block is whole.
    ada.asana.faults = answering({"1007": FORBIDDEN})
    assert ada.sync(only=["raw_workspace_goals", "owned_goals", "subgoals"]).success
    assert lacking(ada) == ([], 0)
