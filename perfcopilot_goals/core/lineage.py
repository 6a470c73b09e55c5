"""Digests of what is stored, and whether the inputs of a slice belong together.

Equal data gives equal digests, whichever sync wrote it. `erasure` says what becomes of them once somebody is erased.

An asset can be materialized alone in the UI. Then rows may mix two states of the world, such as key results that were
read before an employee was mapped. They would look complete but lack goals, so such a mix is refused.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from perfcopilot_goals.domain.actions import SYNC
from perfcopilot_goals.domain.sync import Source
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals.schemas.tables import SLICE_COLUMNS, TABLES, own_columns

ROSTER = "employees"
# Rows that are turned to text at a time. All at once would double the memory of a sync of 100,000 goals.
_CHUNK = 2_000


def roster_digest(asana_user_of: Mapping[str, str | None]) -> str:
    """A digest of who is mapped to whom. Equal mappings have equal digests."""
    mapped = sorted((employee_id, gid) for employee_id, gid in asana_user_of.items() if gid)
    return hashlib.sha256(json.dumps(mapped).encode()).hexdigest()


def without_later_mappings(now: Mapping[str, str | None], earlier: Mapping[str, str | None]) -> dict[str, str | None]:
    """The roster as it is now, in which whoever was mapped since the earlier one is still unmapped.

    A sync that picked goals by the earlier roster has none of theirs, so a block would say that they have no goals.
    """
    return {employee_id: gid if earlier.get(employee_id) == gid else None for employee_id, gid in now.items()}


def keeps_mappings(now: Mapping[str, str | None], earlier: Mapping[str, str | None]) -> bool:
    """Whether everybody who was mapped earlier is now mapped to the same Asana user. Others may have been added."""
    return all(now.get(employee_id) == gid for employee_id, gid in earlier.items() if gid)


def check_inputs(table: str, sources: Mapping[str, Source]) -> None:
    """Raise `GoalsGuardError` if an input was made from another state of a second input than the present one."""
    for name, source in sources.items():
        for shared, was in source.inputs.items():
            if shared in sources and sources[shared].made_by != was:
                raise GoalsGuardError(
                    f"{table} was not written: {name} was made from an earlier state of {shared}",
                    action=f"Materialize {name} again first, or run the whole sync: {SYNC}",
                )


def digest_slice(table: str, rows: pd.DataFrame) -> str:
    """The digest of a connection's rows of the table, in hexadecimal; without when and by which run they were written.

    It is over JSON lines: one with the table's columns, then one per row in key order, with dates in ISO 8601. Keys are
    ordered by code point, and so is what JSON objects hold, because Postgres keeps neither order.
    """
    names = own_columns(table)
    key = [name for name in TABLES[table].key if name not in SLICE_COLUMNS]
    digest = hashlib.sha256(_line([table, *names]))
    ordered = rows[names].sort_values(key, kind="stable")
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered.iloc[start : start + _CHUNK].astype(object)
        for row in chunk.mask(chunk.isna(), None).itertuples(index=False, name=None):
            digest.update(_line(row))
    return digest.hexdigest()


def digest_text(text: str) -> str:
    """The digest of a block, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _line(values: Any) -> bytes:
    return (json.dumps(values, sort_keys=True, separators=(",", ":"), default=dt.date.isoformat) + "\n").encode()
