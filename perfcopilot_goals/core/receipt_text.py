"""A receipt as people read it: lines for the command line, Markdown for the UI."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.domain.sync import SLICE_TABLES

_GOALS = {
    "owned": "of mapped employees",
    "beyond_cap": "beyond the cap",
    "ownerless": "without an owner",
    "strangers": "of people who are no mapped employees",
    "erased": "of erased people, not stored",
}
_MISSING = {
    "employees_truncated": "employees whose block is truncated",
    "employees_unmapped": "employees without an Asana user",
    "lists_refused": "goals whose key results Asana did not show",
    "subgoals_hidden": "goals with hidden sub-goals",
}


def receipt_rows(
    receipt: Mapping[str, Any], *, digests: bool, show_id: Callable[[str], str] = lambda one: one
) -> list[tuple[str, str]]:
    """The receipt as pairs of a label and a text, in order. `show_id` says how an id is shown."""
    goals, lists, but_for, tables = (receipt[name] for name in ("goals", "lists", "but_for", "tables"))
    pages = f"pages: {goals['pages']:,}, repeated: {goals['repeated']:,}"
    sum_of_parts = " + ".join(f"{goals[part]:,}" for part in _GOALS)
    return [
        ("result", receipt["result"]),
        *((f"but for {what}", _show(but_for[kind], show_id)) for kind, what in _MISSING.items() if kind in but_for),
        ("run", receipt["run_id"]),
        ("fetch began", receipt["synced_at"]),
        ("seconds", f"{receipt['seconds']:.1f}"),
        ("goals listed", f"{goals['listed']:,} ({pages}) = {sum_of_parts}"),
        *((f"  {label}", f"{goals[part]:,}") for part, label in _GOALS.items()),
        ("lists of sub-goals", f"{lists['walked']:,} walked, {lists['read']:,} read, {_refused(lists)} refused"),
        ("hidden sub-goals", f"{lists['hidden_subgoals']:,}"),
        ("requests", f"{receipt['requests']:,}, {receipt['rejected']:,} rejected"),
        ("route", receipt["route"] or "none was needed"),
        *((name, _show_table(tables[name], digests)) for name in SLICE_TABLES),
    ]


def receipt_markdown(receipt: Mapping[str, Any]) -> str:
    """The receipt as a Markdown table, without digests.

    Dagster keeps what it was shown for as long as the run. A digest there would outlive an erasure.
    """
    rows = receipt_rows(receipt, digests=False, show_id=_harmless)
    return "\n".join(["| receipt | |", "| --- | --- |", *(f"| {label.strip()} | {text} |" for label, text in rows)])


def _harmless(one: str) -> str:
    # An id is shown as it is or not at all: an erasure would not find it in another spelling.
    return one if re.fullmatch(r"[\w.@ -]+", one) else "(an id that is not shown here)"


def _refused(lists: Mapping[str, int]) -> str:
    refused = {status: lists[f"refused_{status}"] for status in (403, 404)}
    by_status = ", ".join(f"{count:,} with {status}" for status, count in refused.items() if count)
    return by_status or "none"


def _show(missing: Mapping[str, Any], show_id: Callable[[str], str]) -> str:
    ids = [_show_entry(one, show_id) for one in missing["ids"]]
    return f"{missing['count']:,}: {show_ids(ids, missing['count'])}"


def _show_entry(entry: Any, show_id: Callable[[str], str]) -> str:
    """Such as `E3`, `E3 (200 of 243)`, `101 (403)` or `101 (2 hidden)`."""
    if isinstance(entry, str):
        return show_id(entry)
    # Each fact by its name: Postgres does not keep the order of a JSON object.
    match entry:
        case {"employee_id": who, "goals_listed": listed, "goals_owned": owned}:
            fact = f"{listed} of {owned}"
        case {"goal_gid": who, "status": status}:
            fact = str(status)
        case {"goal_gid": who, "count": count}:
            fact = f"{count} hidden"
    return f"{show_id(who)} ({fact})"


def _show_table(table: Mapping[str, Any], digests: bool) -> str:
    rows = f"{table['rows']:,} rows"
    if not digests:
        return rows
    return f"{rows}, SHA-256 {table['sha256'] or 'removed when somebody was erased'}"
