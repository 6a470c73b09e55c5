"""The checks of `core.checks` in Dagster, each partitioned like its asset. `connection_checks` has those over all.

An unpartitioned check on a partitioned asset shows only the latest connection's result. The next healthy connection
would then hide a truncated one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from perfcopilot_goals.core.checks import CHECKS, IDS_LISTED, RAW, SUBGOALS, Check, CheckResult, Facts
from perfcopilot_goals.defs.failures import as_failures, not_recorded
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.ids import IDS_SHOWN
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_mapping
from perfcopilot_goals.storage.roster import read_conflicts
from perfcopilot_goals.storage.slices import read_slice
from perfcopilot_goals.storage.sync_log import read_source
from perfcopilot_goals.storage.users_check import read_users_check


def gather_facts(database: Database, connection: str, checks: list[Check]) -> Facts:
    """What these checks need, read in one snapshot."""
    columns: dict[str, dict[str, None]] = {}
    for check in checks:
        for table, names in check.reads.items():
            columns.setdefault(table, {}).update(dict.fromkeys(names))
    with database.connect("reading for checks", snapshot=True) as conn:
        walked = read_source(conn, connection, SUBGOALS)
        notes = walked.notes if walked else {}
        listed = read_source(conn, connection, RAW)
        return Facts(
            slices={table: read_slice(conn, table, connection, list(columns[table])) for table in columns},
            asana_user_of=read_mapping(conn, connection),
            unread_subgoal_lists=list(notes.get("unread", [])),
            hidden_subgoals={hidden["goal_gid"]: hidden["count"] for hidden in notes.get("hidden", [])},
            goals_before=listed.rows_before if listed else 0,
            mapping_conflicts=[row.employee_id for row in read_conflicts(conn, connection)],
            users_checked_at=read_users_check(conn, connection).checked_at,
        )


def _checks_of(table: str) -> dg.AssetChecksDefinition:
    """All checks of a table in one step: a step for each would cost more than the checks themselves."""
    checks = {check.name: check for check in CHECKS if check.table == table}
    specs = [
        dg.AssetCheckSpec(c.name, asset=table, description=c.description, partitions_def=connections_partitions)
        for c in checks.values()
    ]

    @dg.multi_asset_check(name=f"checks_of_{table}", specs=specs, can_subset=True)
    def run(context: dg.AssetCheckExecutionContext, store: StoreResource) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        chosen = [check for name, check in checks.items() if name in selected]
        with as_failures("(none)", not_recorded):
            # *Execute all* on the page of the checks names no partition.
            if not context.has_partition_key:
                raise GoalsConfigError(
                    "each of these checks is about one connection, and none was chosen",
                    action="Materialize that connection's partition, which evaluates them too; or evaluate the checks "
                    "over all connections, on the asset connections",
                )
        with as_failures(context.partition_key, not_recorded):
            facts = gather_facts(store.database, context.partition_key, chosen)
            results = [(check, check.evaluate(facts)) for check in chosen]
        for check, result in results:
            yield check_result(table, check.name, result, is_error=check.is_structural)

    return run


CHECK_DEFINITIONS = [_checks_of(table) for table in SLICE_TABLES]


def check_result(
    asset: str, name: str, result: CheckResult, more: Mapping[str, Any] | None = None, *, is_error: bool = False
) -> dg.AssetCheckResult:
    """The result as Dagster shows it: count, limit and ids, and `more`. Up to a thousand ids are given as JSON."""
    given = {"limit": result.limit, "as_of": result.as_of}
    known = {name: value for name, value in given.items() if value is not None}
    every = {"all_ids": dg.MetadataValue.json(result.ids[:IDS_LISTED])} if len(result.ids) > IDS_SHOWN else {}
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        metadata={"count": result.count, "ids": result.shown, **known, **every, **(more or {})},
    )
