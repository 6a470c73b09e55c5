"""Loads and stores slices in Postgres for Dagster, in one way for every table."""

import datetime as dt
import threading
import time
from typing import Any

import dagster as dg
import pandas as pd
import sqlalchemy as sa
from pydantic import PrivateAttr

from perfcopilot_goals.asana.pacing import Clock
from perfcopilot_goals.core.lineage import ROSTER, check_inputs, digest_slice, roster_digest, without_later_mappings
from perfcopilot_goals.core.receipt import receipt_markdown, require_balance
from perfcopilot_goals.defs.catalog import column_lineage
from perfcopilot_goals.defs.failures import as_failures
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.actions import SYNC
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.sync import SLICE_TABLES, Source
from perfcopilot_goals.errors import GoalsGuardError, GoalsStoreError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import Slice, stamp, validate
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.employees import read_mapping
from perfcopilot_goals.storage.slices import Replacement, load_slice, replace_slice
from perfcopilot_goals.storage.sync_log import began_at, begin_sync, read_receipt

# The metadata that names the columns of an input; Dagster's own database I/O managers call it so too.
COLUMNS = "columns"

Roster = dict[str, str | None]


class SliceIOManager(dg.ConfigurableIOManager):
    """A partition of an asset is the connection's slice of the table of that name.

    `allow_empty` lifts three guards for one run. A slice that had goals may become empty, goals may lose key results
    that Asana now refuses to list, and the roster may be empty. Set it in the launchpad or on the command line.
    """

    store: StoreResource
    clock: dg.ResourceDependency[Clock]
    allow_empty: bool = False
    # By input: where its slice came from. `load_input` fills it, and `handle_output` of the same step reads it.
    _sources: dict[str, Source] = PrivateAttr(default_factory=dict)
    # The roster as the run first read it. A whole sync uses that one to its end.
    _roster: Roster | None = PrivateAttr(default=None)

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | Connection | Roster:
        name, connection = context.asset_key.path[-1], context.partition_key
        with as_failures(connection, self.store.failure_recorder(connection, context.step_context.run_id, dict)):
            if name in SLICE_TABLES:
                columns = context.definition_metadata.get(COLUMNS)
                rows, self._sources[name] = load_slice(self.store.database, name, connection, columns)
                return rows
            with self.store.database.connect(f"reading {name}") as conn:
                row = read_connection(conn, connection)
                return self._read_roster(conn, connection) if name == ROSTER else row

    def _read_roster(self, conn: sa.Connection, connection: str) -> Roster:
        """The roster now, but with those mapped whom the run's first look found mapped."""
        now = read_mapping(conn, connection)
        self._roster = now if self._roster is None else self._roster
        self._sources[ROSTER] = Source(roster_digest(self._roster), None, {}, {})
        return without_later_mappings(now, self._roster)

    def handle_output(self, context: dg.OutputContext, obj: Slice) -> None:
        table, connection, run_id = context.asset_key.path[-1], context.partition_key, context.run_id
        began = time.monotonic()
        # The asset's notes say what it cost. They reach the sync log with the rows, so a failure has to record them.
        with as_failures(connection, self.store.failure_recorder(connection, run_id, lambda: obj.notes)):
            sources = self._sources_of(context)
            check_inputs(table, sources)
            synced_at = self._enter_sync(context, obj, sources)
            _check_moments(table, synced_at, sources)
            rows = validate(table, stamp(obj.hand_over(), connection, synced_at, run_id))
            require_balance(table, obj.notes, len(rows))
            notes = {**obj.notes, "sha256": digest_slice(table, rows)}
            replacement = Replacement(
                connection,
                run_id,
                synced_at,
                inputs={name: source.made_by for name, source in sources.items()},
                notes=notes | ({"allow_empty": True} if self.allow_empty else {}),
                is_last=self._is_last(context, table),
                roster_digest=_roster_digest_of(sources),
                roster=self._roster,
                fetched_from=obj.fetched_from,
                allow_empty=self.allow_empty,
                history_days=self.store.settings.history_days,
            )
            deleted = replace_slice(self.store.database, table, rows, replacement, self._pause)
            receipt = self._receipt(connection, run_id) if replacement.is_last else {}
        context.add_output_metadata(_metadata(table, rows, obj, deleted, time.monotonic() - began) | receipt)

    def _enter_sync(self, context: dg.OutputContext, obj: Slice, sources: dict[str, Source]) -> dt.datetime:
        """The moment of this sync: when its fetch began, or the earliest moment of what the rows are made from."""
        moment = min((source.synced_at for source in sources.values() if source.synced_at), default=None)
        with self.store.database.connect("entering the sync") as conn:
            if moment is None and obj.fetched_from is not None:
                # Its asset entered the sync, before it fetched.
                return began_at(conn, context.partition_key, context.run_id)
            return begin_sync(conn, context.partition_key, context.run_id, moment)

    def _receipt(self, connection: str, run_id: str) -> dict[str, dg.MetadataValue]:
        """The receipt of the sync, for the UI; none if the run wrote only some of the tables.

        The sync is complete by now, so a database that fails here only keeps the receipt from the UI.
        """
        try:
            receipt = self.store.read("reading the receipt", read_receipt, connection, run_id)
        except GoalsStoreError:
            return {}
        return {"receipt": dg.MetadataValue.md(receipt_markdown(receipt))} if receipt else {}

    def _pause(self, seconds: float) -> None:
        self.clock.wait(seconds, threading.Event())

    def _sources_of(self, context: dg.OutputContext) -> dict[str, Source]:
        names = [dep.asset_key.path[-1] for dep in context.asset_spec.deps]
        return {name: self._sources[name] for name in names if name in self._sources}

    @staticmethod
    def _is_last(context: dg.OutputContext, table: str) -> bool:
        """Whether no later table is part of this run; in the UI an asset can be materialized alone."""
        steps = {node.name for node in context.step_context.job_def.nodes}
        return not steps.intersection(SLICE_TABLES[SLICE_TABLES.index(table) + 1 :])


def _roster_digest_of(sources: dict[str, Source]) -> str | None:
    """The digest of the roster that a slice is made from, by itself or through `owned_goals`; None if of none."""
    if ROSTER in sources:
        return sources[ROSTER].made_by
    return sources["owned_goals"].inputs[ROSTER] if "subgoals" in sources else None


def _check_moments(table: str, synced_at: dt.datetime, sources: dict[str, Source]) -> None:
    """Raise `GoalsGuardError` if an input is older than the run's fetch: the rows would pass for newer ones."""
    older = [name for name, source in sources.items() if source.synced_at and source.synced_at < synced_at]
    if older:
        raise GoalsGuardError(
            f"{table} was not written: {' and '.join(older)} came from an earlier sync than what this run has written",
            action=f"Materialize what lies between in the same run, or run the whole sync: {SYNC}",
        )


def _metadata(table: str, rows: pd.DataFrame, written: Slice, deleted: int, seconds: float) -> dict[str, Any]:
    # An asset that asks Asana nothing sent no request, so that each asset has the same numbers to plot.
    numbers: dict[str, int | float | str] = dict.fromkeys(("requests", "throttled", "pages"), 0)
    numbers |= {name: value for name, value in written.notes.items() if isinstance(value, int | float | str)}
    if "truncated" in rows and "employee_id" in rows:
        numbers["truncated_employees"] = int(rows.loc[rows["truncated"], "employee_id"].nunique())
    return {
        "dagster/table_name": f"{SCHEMA}.{table}",
        "dagster/partition_row_count": len(rows),
        "dagster/column_lineage": column_lineage(table),
        "rows": len(rows),
        "rows_before": deleted,
        "seconds": round(seconds, 3),
        **numbers,
    }
