"""The assets. Each of the five gathers its inputs, calls one function of `core` and returns; the I/O manager stores.

`connections` and `employees` are written by people through the command line; they are here so that lineage starts
where the truth starts.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

import dagster as dg
import pandas as pd

from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.asana.walk import walk_subgoals
from perfcopilot_goals.core.goals import WORKSPACE_FIELD, parse_goals
from perfcopilot_goals.core.key_results import parse_subgoals
from perfcopilot_goals.core.mapping import map_rows
from perfcopilot_goals.core.ownership import select_owned_goals
from perfcopilot_goals.core.prompts import render_blocks
from perfcopilot_goals.core.reasons import count_reasons
from perfcopilot_goals.core.subgoal_refusals import refusal_of_lists
from perfcopilot_goals.defs.columns import column_schema
from perfcopilot_goals.defs.failures import as_failures
from perfcopilot_goals.defs.io_manager import COLUMNS
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.picture import draw_sync
from perfcopilot_goals.defs.resources import Asana
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.schemas.tables import Slice, tables
from perfcopilot_goals.services.sync_access import require_workspace

IO_MANAGER = "slices"
OWNERS = ["team:people-data"]

Roster = Mapping[str, str | None]


def _options(table: str, *kinds: str) -> dict[str, Any]:
    return {
        "description": tables()[table].grain,
        "metadata": {"dagster/column_schema": column_schema(table)},
        "partitions_def": connections_partitions,
        "group_name": "goals",
        "owners": OWNERS,
        "kinds": {"postgres", *kinds},
    }


def _source(table: str) -> dg.AssetSpec:
    spec = dg.AssetSpec(table, **_options(table))
    return spec.with_io_manager_key(IO_MANAGER)


def _slice_asset(*kinds: str, **reads: list[str]) -> Callable[[Callable[..., Slice]], dg.AssetsDefinition]:
    """One of the five: partitioned, stored by the I/O manager, its errors told without leaking anything.

    `reads` names the columns of an input that are loaded, where not all are: a slice's size is its texts'.
    """

    def define(function: Callable[..., Slice]) -> dg.AssetsDefinition:
        @functools.wraps(function)
        def run(*args: Any, **inputs: Any) -> Slice:
            context = dg.AssetExecutionContext.get()
            note = context.resources.asana.failure_recorder(context.partition_key, context.run.run_id)
            with as_failures(context.partition_key, note):
                return function(*args, **inputs)

        decorate = dg.asset(
            ins={table: dg.AssetIn(metadata={COLUMNS: columns}) for table, columns in reads.items()},
            io_manager_key=IO_MANAGER,
            required_resource_keys={"asana", IO_MANAGER},
            **_options(function.__name__, *kinds),
        )
        return cast(dg.AssetsDefinition, decorate(run))

    return define


connections = _source("connections")
employees = _source("employees")


@_slice_asset("asana")
def raw_workspace_goals(context: dg.AssetExecutionContext, connections: Connection) -> Slice:
    asana: Asana = context.resources.asana
    workspace_gid = require_workspace(connections)
    if not context.resources.slices.allow_empty:
        asana.require_employees(connections)
    client = asana.client_for(connections)
    asana.begin_sync(connections, context.run.run_id)
    fields = [*tables()["raw_workspace_goals"].asana_fields, WORKSPACE_FIELD]
    answers = fetch_goals(client, workspace_gid, fields, asana.reporter(connections, "goals listed"))
    goals = parse_goals(answers, workspace_gid, asana.erased(connections).has_user)
    users = asana.check_users(connections)
    return Slice(goals.rows, asana.notes() | users | {"repeated_goals": goals.repeated})


@_slice_asset("pandas")
def owned_goals(raw_workspace_goals: pd.DataFrame, employees: Roster) -> Slice:
    return Slice(select_owned_goals(raw_workspace_goals, {gid: employee for employee, gid in employees.items() if gid}))


@_slice_asset("asana", owned_goals=["goal_gid"])
def subgoals(context: dg.AssetExecutionContext, connections: Connection, owned_goals: pd.DataFrame) -> Slice:
    asana: Asana = context.resources.asana
    goal_gids = list(owned_goals["goal_gid"])
    walk = walk_subgoals(
        asana.client_for(connections),
        goal_gids,
        tables()["subgoals"].asana_fields,
        route=connections.subgoal_route,
        last_route=asana.last_route(connections),
        on_goal=asana.reporter(connections, "goals walked", total=len(goal_gids)),
    )
    stored = asana.store.goals_with_key_results(connections.connection)
    allow_empty = context.resources.slices.allow_empty
    refusal = refusal_of_lists(walk.subgoals, walk.unread, stored, allow_empty=allow_empty)
    if refusal is not None:
        raise refusal
    found = parse_subgoals(walk.subgoals, asana.erased(connections).has_user, walk.route)
    return Slice(found.rows, asana.notes() | walk.notes() | {"repeated_subgoals": found.repeated})


@_slice_asset("pandas")
def mapped_goal_rows(owned_goals: pd.DataFrame, subgoals: pd.DataFrame) -> Slice:
    return Slice(map_rows(owned_goals, subgoals))


@_slice_asset(
    "pandas",
    mapped_goal_rows=["employee_id", "kind", "position", "goal_gid", "row_gid", "name", "status"],
    owned_goals=["employee_id", "owned_total"],
)
def prompt_blocks(
    context: dg.AssetExecutionContext, mapped_goal_rows: pd.DataFrame, owned_goals: pd.DataFrame, employees: Roster
) -> Slice:
    goals_owned = dict(zip(owned_goals["employee_id"], owned_goals["owned_total"], strict=True))
    block_history = context.resources.asana.store.block_history(context.partition_key)
    blocks = render_blocks(mapped_goal_rows, goals_owned, [e for e, gid in employees.items() if gid], block_history)
    context.add_output_metadata({"picture": draw_sync(mapped_goal_rows, blocks, employees)})
    return Slice(blocks, count_reasons(blocks["reason"]))


SLICE_ASSETS = [raw_workspace_goals, owned_goals, subgoals, mapped_goal_rows, prompt_blocks]
SOURCE_ASSETS = [connections, employees]
