"""A receipt as people read it: lines for the command line, Markdown for the UI."""

from collections.abc import Mapping
from typing import Any

from perfcopilot_goals.core.receipt import COMPLETE

# Of a kind of what is missing. The JSON has more.
IDS_SHOWN = 10

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


def receipt_rows(receipt: Mapping[str, Any], *, digests: bool) -> list[tuple[str, str]]:
    """The receipt as pairs of a label and a text, in order."""
    goals, lists = receipt["goals"], receipt["lists"]
    pages = f"pages: {goals['pages']:,}, repeated: {goals['repeated']:,}"
    sum_of_parts = " + ".join(f"{goals[part]:,}" for part in _GOALS)
    return [
        ("result", receipt["result"]),
        *((f"but for {_MISSING[kind]}", _show(missing)) for kind, missing in receipt["but_for"].items()),
        ("run", receipt["run_id"]),
        ("fetch began", receipt["synced_at"]),
        ("seconds", f"{receipt['seconds']:.1f}"),
        ("goals listed", f"{goals['listed']:,} ({pages}) = {sum_of_parts}"),
        *((f"  {label}", f"{goals[part]:,}") for part, label in _GOALS.items()),
        ("lists of sub-goals", f"{lists['walked']:,} walked, {lists['read']:,} read, {_refused(lists)} refused"),
        ("hidden sub-goals", f"{lists['hidden_subgoals']:,}"),
        ("requests", f"{receipt['requests']:,}, {receipt['rejected']:,} rejected"),
        ("route", receipt["route"] or "none was needed"),
        *((name, _show_table(table, digests)) for name, table in receipt["tables"].items()),
    ]


def receipt_markdown(receipt: Mapping[str, Any]) -> str:
    """The receipt as a Markdown table, without digests.

    Dagster keeps what it was shown for as long as the run. A digest there would outlive an erasure.
    """
    rows = receipt_rows(receipt, digests=False)
    return "\n".join(["| receipt | |", "| --- | --- |", *(f"| {label.strip()} | {text} |" for label, text in rows)])


def is_complete(receipt: Mapping[str, Any]) -> bool:
    """Whether nothing is missing from the blocks."""
    return bool(receipt["result"] == COMPLETE)


def _refused(lists: Mapping[str, int]) -> str:
    refused = {status: lists[f"refused_{status}"] for status in (403, 404)}
    by_status = ", ".join(f"{count:,} with {status}" for status, count in refused.items() if count)
    return by_status or "none"


def _show(missing: Mapping[str, Any]) -> str:
    ids = [entry if isinstance(entry, str) else _show_entry(entry) for entry in missing["ids"][:IDS_SHOWN]]
    more = missing["count"] - len(ids)
    return f"{missing['count']:,}: " + ", ".join([*ids, *([f"… and {more:,} more"] if more > 0 else [])])


def _show_entry(entry: Mapping[str, Any]) -> str:
    """Such as `E3 (243 owned, 200 listed)` or `101 (403)`."""
    who, *facts = entry.values()
    names = [name.removeprefix("goals_") for name in entry][1:]
    shown = [
        f"{fact} {name}" if name in ("owned", "listed") else str(fact) for name, fact in zip(names, facts, strict=True)
    ]
    return f"{who} ({', '.join(shown)})"


def _show_table(table: Mapping[str, Any], digests: bool) -> str:
    rows = f"{table['rows']:,} rows"
    if not digests:
        return rows
    return f"{rows}, SHA-256 {table['sha256'] or 'removed when somebody was erased'}"
