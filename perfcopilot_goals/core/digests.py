"""SHA-256 digests of what is stored: equal data gives equal digests, whichever sync wrote it.

A digest of a slice covers the table's own columns. When the rows were written and by which run is left out. `erasure`
says what becomes of digests once somebody is erased.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from perfcopilot_goals.schemas.tables import SLICE_COLUMNS, own_columns, tables

# Rows that are turned to text at a time. All at once would double the memory of a sync of 100,000 goals.
_CHUNK = 2_000


def digest_slice(table: str, rows: pd.DataFrame) -> str:
    """The digest of a connection's rows of the table, in hexadecimal.

    It is over JSON lines: one with the table's columns, then one per row in key order, with dates in ISO 8601. Keys are
    ordered by code point, and so is what JSON objects hold, because Postgres keeps neither order.
    """
    names = own_columns(table)
    key = [name for name in tables()[table].key if name not in SLICE_COLUMNS]
    digest = hashlib.sha256(_line([table, *names]))
    ordered = rows[names].sort_values(key, kind="stable")
    for start in range(0, len(ordered), _CHUNK):
        for row in _plain_rows(ordered.iloc[start : start + _CHUNK]):
            digest.update(_line(row))
    return digest.hexdigest()


def digest_text(text: str) -> str:
    """The digest of a block, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _plain_rows(rows: pd.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The rows as plain Python values, with None for every missing one."""
    return rows.astype(object).mask(rows.isna(), None).itertuples(index=False, name=None)


def _line(values: Any) -> bytes:
    return (json.dumps(values, sort_keys=True, separators=(",", ":"), default=dt.date.isoformat) + "\n").encode()
