"""The assets. Each of the five gathers its inputs, has `core` decide, and returns; the I/O manager stores.

`connections` and `employees` are written by people, with a command, the page or a job. They are here so that lineage
starts where the truth starts.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

import dagster as dg
import pandas as pd

from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.asana.walk import walk_subgoals
from perfcopilot_goals.core.goals import (
    WORKSPACE_FIELD,
    parse_goals,
    parse_subgoals,
    refusal_of_lists,
    select_owned_goals,
)
from perfcopilot_goals.core.mapping import map_rows
from perfcopilot_goals.core.prompts import count_reasons, render_blocks
from perfcopilot_goals.core.receipt import count_blocks, count_owners
from perfcopilot_goals.defs.catalog import column_schema, draw_sync
from perfcopilot_goals.defs.failures import as_failures
from perfcopilot_goals.defs.io_manager import COLUMNS, Roster, SliceIOManager
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.resources import AsanaResource, StoreResource
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.schemas.tables import TABLES, Slice
from perfcopilot_goals.services.sync_access import require_employees, require_workspace
from perfcopilot_goals.storage.blocks import read_block_history
from perfcopilot_goals.storage.employees import read_erased, read_mapping
from perfcopilot_goals.storage.slices import read_slice
from perfcopilot_goals.storage.sync_log import read_last_route

IO_MANAGER = "slices"
OWNERS = ["team:people-data"]
# Raise it in the change after which equal inputs give other rows. The UI then calls the stored rows outdated.
CODE_VERSION = "1"
# The steps that ask Asana. It has no limit until somebody sets one in the UI: docs/decisions/0013 says why.
POOL = "asana"


def _options(table: str, *kinds: str) -> dict[str, Any]:
    return {
        "description": TABLES[table].grain,
        "metadata": {"dagster/column_schema": column_schema(table)},
        "partitions_def": connections_partitions,
        "group_name": "goals",
        "owners": OWNERS,
        "kinds": {"postgres", *kinds},
    }


def _source(table: str) -> dg.AssetSpec:
    return dg.AssetSpec(table, **_options(table)).with_io_manager_key(IO_MANAGER)


def _slice_asset(*kinds: str, **reads: list[str]) -> Callable[[Callable[..., Slice]], dg.AssetsDefinition]:
    """One of the five: partitioned, stored by the I/O manager, its failures safe to show and in the sync log.

    `reads` names the columns to load of an input, where the asset does not need them all: texts are most of a slice.
    """
    asks_asana = "asana" in kinds

    def define(function: Callable[..., Slice]) -> dg.AssetsDefinition:
        parameters = inspect.signature(function).parameters

        @functools.wraps(function)
        def run(*args: Any, asana: AsanaResource, **inputs: Any) -> dg.Output[Slice]:
            context = dg.AssetExecutionContext.get()
            connection, run_id = context.partition_key, context.run.run_id
            own = {"asana": asana} if "asana" in parameters else {}
            with as_failures(connection, asana.failure_recorder(connection, run_id)):
                made = function(*args, **inputs, **own)
                made.fetched_from = asana.connection
            # Dagster takes equal code and equal inputs for equal rows, and knows nothing of what Asana has changed.
            return dg.Output(made, data_version=dg.DataVersion(run_id) if asks_asana else None)

        # Dagster reads from the signature what a step needs. Each of the five needs `asana`, to record its failure
        # with the requests that it cost.
        needed = [parameter for name, parameter in parameters.items() if name != "asana"]
        recorder = inspect.Parameter("asana", inspect.Parameter.KEYWORD_ONLY, annotation=AsanaResource)
        run.__signature__ = inspect.Signature([*needed, recorder])  # type: ignore[attr-defined]
        decorate = dg.asset(
            ins={table: dg.AssetIn(metadata={COLUMNS: columns}) for table, columns in reads.items()},
            io_manager_key=IO_MANAGER,
            code_version=CODE_VERSION,
            # No `backfill_policy`: with one, even of a single partition a run, a backfill's runs carry a range and not
            # `dagster/partition`. Checks then lose their connection, and the queue's limit does not see it.
            pool=POOL if asks_asana else None,
            **_options(function.__name__, *kinds),
        )
        return cast(dg.AssetsDefinition, decorate(run))

    return define


def _employee_of(roster: Roster) -> dict[str, str]:
    return {gid: employee_id for employee_id, gid in roster.items() if gid}


connections = _source("connections")
employees = _source("employees")


@_slice_asset("asana")
def raw_workspace_goals(
    context: dg.AssetExecutionContext,
    connections: Connection,
    asana: AsanaResource,
    slices: dg.ResourceParam[SliceIOManager],
) -> Slice:
    require_workspace(connections)
    if not slices.allow_empty:
        require_employees(asana.store.database, connections)
    client = asana.client_for(connections)
    connection = asana.begin_sync(connections, context.run.run_id)
    workspace_gid = require_workspace(connection)
    fields = [*TABLES["raw_workspace_goals"].asana_fields, WORKSPACE_FIELD]
    responses = fetch_goals(client, workspace_gid, fields, asana.reporter(connection, "goals listed"))
    listed = {"workspace_gid": workspace_gid, "list_pages": client.stats.pages}
    # After the sync was entered: whoever is erased from then on ends it.
    erased = asana.store.read("reading who was erased", read_erased, connection.connection)
    goals = parse_goals(responses, workspace_gid, erased.has_user)
    employee_of = _employee_of(asana.store.read("reading the roster", read_mapping, connection.connection))
    # Counted by the roster as it is now, so that a loss ends the sync before its first write.
    counts = count_owners(goals.rows, select_owned_goals(goals.rows, employee_of), employee_of)
    users = asana.check_users(connection)
    return Slice(goals.rows, {**asana.notes(), **listed, **users, **goals.notes, **counts})


@_slice_asset("pandas")
def owned_goals(raw_workspace_goals: pd.DataFrame, employees: Roster) -> Slice:
    employee_of = _employee_of(employees)
    owned = select_owned_goals(raw_workspace_goals, employee_of)
    return Slice(owned, {"goals": len(raw_workspace_goals), **count_owners(raw_workspace_goals, owned, employee_of)})


@_slice_asset("asana", owned_goals=["goal_gid"])
def subgoals(
    connections: Connection, owned_goals: pd.DataFrame, asana: AsanaResource, slices: dg.ResourceParam[SliceIOManager]
) -> Slice:
    goal_gids, store, name = list(owned_goals["goal_gid"]), asana.store, connections.connection
    walk = walk_subgoals(
        asana.client_for(connections),
        goal_gids,
        TABLES["subgoals"].asana_fields,
        route=connections.subgoal_route,
        last_route=store.read("reading the last route", read_last_route, name),
        on_goal=asana.reporter(connections, "goals walked", total=len(goal_gids)),
    )
    stored = store.read("reading the stored key results", read_slice, "subgoals", name, ["goal_gid"])
    refusal = refusal_of_lists(walk.subgoals, walk.unread, set(stored["goal_gid"]), allow_empty=slices.allow_empty)
    if refusal is not None:
        raise refusal
    erased = store.read("reading who was erased", read_erased, name)
    found = parse_subgoals(walk.subgoals, erased.has_user, walk.route)
    return Slice(found.rows, {**asana.notes(), **walk.notes(), **found.notes, "lists_walked": len(goal_gids)})


@_slice_asset("pandas")
def mapped_goal_rows(owned_goals: pd.DataFrame, subgoals: pd.DataFrame) -> Slice:
    rows = map_rows(owned_goals, subgoals)
    return Slice(rows, {"goals": len(owned_goals), "key_results": len(subgoals)})


@_slice_asset(
    "pandas",
    mapped_goal_rows=["employee_id", "kind", "position", "goal_gid", "row_gid", "name", "status"],
    owned_goals=["employee_id", "owned_total"],
)
def prompt_blocks(
    context: dg.AssetExecutionContext,
    mapped_goal_rows: pd.DataFrame,
    owned_goals: pd.DataFrame,
    employees: Roster,
    store: StoreResource,
) -> Slice:
    goals_owned = dict(zip(owned_goals["employee_id"], owned_goals["owned_total"], strict=True))
    block_history = store.read("reading the earlier blocks", read_block_history, context.partition_key)
    blocks = render_blocks(mapped_goal_rows, goals_owned, [e for e, gid in employees.items() if gid], block_history)
    context.add_output_metadata({"picture": draw_sync(mapped_goal_rows, blocks, employees)})
    return Slice(blocks, count_reasons(blocks["reason"]) | count_blocks(blocks, mapped_goal_rows, employees))


SLICE_ASSETS = [raw_workspace_goals, owned_goals, subgoals, mapped_goal_rows, prompt_blocks]
SOURCE_ASSETS = [connections, employees]
