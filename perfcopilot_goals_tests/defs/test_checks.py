"""Checks as Dagster records them: by connection, with count, ids and limit, and never in the way of a write."""

from typing import Any

import dagster as dg
import pytest

from perfcopilot_goals.core.checks import CHECKS
from perfcopilot_goals.defs.checks import gather_facts
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.sandbox import Goal, Sandbox, sample_company
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running, results

BY_TABLE = {
    "raw_workspace_goals": {
        "workspace_has_goals",
        "goals_did_not_collapse",
        "every_goal_has_an_owner",
        "every_owner_is_an_employee",
    },
    "owned_goals": {
        "every_employee_is_mapped",
        "every_mapping_agrees_with_asana",
        "no_employee_is_truncated",
        "no_description_is_truncated",
    },
    "subgoals": {"every_subgoal_list_was_read", "no_subgoal_is_hidden"},
    "mapped_goal_rows": {"every_status_word_is_known", "status_agrees_with_asana", "no_goal_was_lost"},
    "prompt_blocks": {"every_mapped_employee_has_a_block", "no_block_is_truncated"},
}
STRUCTURAL = {"no_goal_was_lost", "every_mapped_employee_has_a_block"}


def metadata_of(check: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in check.metadata.items()}


def test_every_table_has_the_checks_that_the_contract_names(definitions: dg.Definitions) -> None:
    found: dict[str, set[str]] = {table: set() for table in BY_TABLE}
    for key in definitions.resolve_asset_graph().asset_check_keys:
        if key.asset_key.path[-1] in found:
            found[key.asset_key.path[-1]].add(key.name)
    assert {table: names & BY_TABLE[table] for table, names in found.items()} == BY_TABLE


def test_the_checks_of_a_table_are_partitioned_like_it_and_say_what_to_do(definitions: dg.Definitions) -> None:
    for checks in definitions.asset_checks or []:
        for spec in checks.check_specs:
            if spec.asset_key.path[-1] in BY_TABLE and spec.name in BY_TABLE[spec.asset_key.path[-1]]:
                assert spec.partitions_def == connections_partitions
                assert spec.description


def test_a_sync_records_every_check_for_its_connection(running: Running) -> None:
    other = running.connect(f"{running.name}-other")
    for name in (running.name, other):
        checks = results(running.sync(name, checked=True))
        assert set.union(*BY_TABLE.values()) <= set(checks)
        for check in checks.values():
            if check.check_name in set.union(*BY_TABLE.values()):
                assert check.partition == name
                assert check.target_materialization_data is not None


def test_one_connections_result_does_not_hide_the_others(running: Running) -> None:
    """An unpartitioned check shows the last connection's answer, whichever that was."""
    other = running.connect(f"{running.name}-other")
    running.map("E3", "3", other)
    key = dg.AssetCheckKey(dg.AssetKey("owned_goals"), "every_employee_is_mapped")
    for name in (running.name, other):
        running.sync(name, checked=True)
    for name, is_mapped in ((running.name, False), (other, True)):
        records = running.instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
        newest = next(r for r in records if r.partition == name)
        assert newest.status.value == ("SUCCEEDED" if is_mapped else "FAILED")


def test_a_check_counts_exactly_shows_ten_ids_and_holds_all(running: Running) -> None:
    for number in range(12):
        running.world.goals[f"4{number:02}"] = Goal(f"4{number:02}", "Nobody's", None)
    check = results(running.sync(checked=True))["every_goal_has_an_owner"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert metadata_of(check)["count"] == 14
    every = ["104", "107", *(f"4{number:02}" for number in range(12))]
    assert metadata_of(check)["ids"].split(", ") == [*every[:10], "… and 4 more"]
    assert metadata_of(check)["all_ids"] == every


def test_check_results_of_the_small_company(running: Running) -> None:
    checks = results(running.sync(checked=True))
    assert {name: metadata_of(check) for name, check in checks.items() if not check.passed} == {
        "every_goal_has_an_owner": {"count": 2, "ids": "104, 107"},
        "every_owner_is_an_employee": {"count": 1, "ids": "9: 1"},
        "every_employee_is_mapped": {"count": 1, "ids": "E3"},
    }
    errors = {name for name, check in checks.items() if check.severity == dg.AssetCheckSeverity.ERROR}
    assert errors == STRUCTURAL, "coverage is a warning, structure an error"


def test_owners_over_the_cap_are_named_with_how_many_they_own(running: Running) -> None:
    """The sample company's E001 owns 200 goals, E002 201 and E003 243."""
    with Sandbox(sample_company(), token=TOKEN) as asana:
        company = Running(running.database, running.instance, running.definitions, asana)
        company.connect()
        result = company.sync(checked=True)
        assert result.success
        checks = results(result)
        for name in ("no_employee_is_truncated", "no_block_is_truncated"):
            assert (checks[name].passed, checks[name].severity.value) == (False, "WARN")
            assert metadata_of(checks[name]) == {"count": 2, "ids": "E002: 201, E003: 243", "limit": 200}
        assert checks["no_goal_was_lost"].passed
        for employee_id, owned, last in (("E001", 200, None), ("E002", 201, "201"), ("E003", 243, "243")):
            lines = company.block(employee_id).splitlines()
            assert sum(line.startswith("- ") and not line.startswith("- (200 of") for line in lines) == 200
            expected = f"- (200 of {last} goals listed; the list was truncated)"
            assert (lines[-2] == expected) is (last is not None)
            (row,) = [r for r in company.rows("prompt_blocks") if r["employee_id"] == employee_id]
            assert (row["goals_owned"], row["goals_listed"], row["truncated"]) == (owned, 200, owned > 200)
        again = company.slices()
        company.sync()
        assert [row["block"] for row in company.rows("prompt_blocks")] == [r["block"] for r in again["prompt_blocks"]]


@pytest.mark.parametrize("table", BY_TABLE)
def test_facts_of_a_connection_that_never_synced_are_empty(running: Running, table: str) -> None:
    facts = gather_facts(running.database, running.name, [check for check in CHECKS if check.table == table])
    assert all(rows.empty for rows in facts.slices.values())
    assert (facts.unread_subgoal_lists, facts.hidden_subgoals) == ([], {})


def test_execute_all_without_a_connection_says_that_one_has_to_be_chosen(
    database: Database, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    """The button on the page of the checks; Dagster's own error named no way out."""
    keys = {key for key in definitions.resolve_asset_graph().asset_check_keys if key.asset_key.path == ["owned_goals"]}
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_check_selection=keys)
    failed = job.execute_in_process(instance=instance, raise_on_error=False)
    (event,) = failed.get_step_failure_events()
    why = event.step_failure_data.user_failure_data
    assert why
    assert why.description
    assert why.description.startswith("GoalsConfigError: ")
    assert "none was chosen" in why.description
    assert "Materialize that connection's partition" in why.description
