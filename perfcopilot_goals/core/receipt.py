"""The receipt of a sync: what Asana listed, what became of it, and the equations that must hold before a write.

Each asset counts what it got and what it left out. `require_balance` compares these counts with the rows that are
about to be written. A sync that lost a goal on the way has a sum that is too small, so it writes nothing.
`build_receipt` puts the counts of the five tables together once the last of them is written, and `receipt_rows` says
them to people.

A receipt has counts, gids and employee ids. It never has a goal's text or a person's name.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from perfcopilot_goals.core.checks import IDS_LISTED
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsGuardError

_RAW, _OWNED, _SUBGOALS, _ROWS, _BLOCKS = SLICE_TABLES
# What a goal of Asana's list can be, in words. A goal is exactly one of these.
_GOALS = {
    "owned": "of mapped employees",
    "beyond_cap": "beyond the cap",
    "ownerless": "without an owner",
    "strangers": "of people who are no mapped employees",
    "erased": "of erased people, not stored",
}
GOAL_PARTS = tuple(_GOALS)
# What blocks can lack.
_MISSING = {
    "employees_truncated": "employees whose block is truncated",
    "employees_unmapped": "employees without an Asana user",
    "lists_refused": "goals whose key results Asana did not show",
    "subgoals_hidden": "goals with hidden sub-goals",
}
_REFUSED = ("refused_403", "refused_404")

# By table: a count, and the counts that it must be the sum of. `rows` are the rows about to be written.
EQUATIONS: Mapping[str, Sequence[tuple[str, tuple[str, ...]]]] = {
    _RAW: [("listed", ("rows", "erased")), ("listed", GOAL_PARTS)],
    _OWNED: [("goals", ("rows", "beyond_cap", "ownerless", "strangers"))],
    _SUBGOALS: [
        ("lists_walked", ("lists_read", *_REFUSED)),
        ("subgoals_listed", ("rows", "repeated_subgoals", "own_parents")),
    ],
    _ROWS: [("rows", ("goals", "key_results"))],
    _BLOCKS: [("lines", ("goals_listed", "key_results_listed"))],
}
# The rows that one step wrote are what the next one read: writer, reader, and the count that the reader notes.
_HANDOVERS = [
    (_RAW, _OWNED, "goals"),
    (_OWNED, _SUBGOALS, "lists_walked"),
    (_OWNED, _ROWS, "goals"),
    (_SUBGOALS, _ROWS, "key_results"),
    (_ROWS, _BLOCKS, "lines"),
]


def count_owners(raw_goals: pd.DataFrame, owned_goals: pd.DataFrame, users: Collection[str]) -> dict[str, int]:
    """How many of the goals are owned by these Asana users, beyond the cap, without an owner, or of strangers.

    Each count comes from another place, so that a goal which the selection lost is missing from the sum.
    """
    owners = raw_goals["owner_gid"]
    is_ownerless = owners.isna()
    totals = owned_goals.groupby("employee_id")["owned_total"].first()
    return {
        "owned": len(owned_goals),
        "beyond_cap": int(totals.sum()) - len(owned_goals),
        "ownerless": int(is_ownerless.sum()),
        "strangers": int((~is_ownerless & ~owners.isin(list(users))).sum()),
    }


def count_blocks(
    blocks: pd.DataFrame, mapped_rows: pd.DataFrame, asana_user_of: Mapping[str, str | None]
) -> dict[str, Any]:
    """How many goals and key results the blocks list, which blocks are truncated, and which employees have none."""
    cut = blocks.loc[blocks["truncated"], ["employee_id", "goals_owned", "goals_listed"]]
    return {
        "lines": len(mapped_rows),
        **{name: int(blocks[name].sum()) for name in ("goals_listed", "key_results_listed")},
        "truncated_blocks": [
            {"employee_id": employee_id, "goals_owned": int(owned), "goals_listed": int(listed)}
            for employee_id, owned, listed in cut.itertuples(index=False, name=None)
        ],
        "unmapped": sorted(employee_id for employee_id, gid in asana_user_of.items() if not gid),
    }


def require_balance(table: str, counts: Mapping[str, Any], rows: int) -> None:
    """Raise `GoalsGuardError` if the counts and the rows about to be written do not add up."""
    known = {"rows": rows, **counts}
    for total, parts in EQUATIONS[table]:
        if counts.keys() & {total, *parts}:
            _require_sum(table, total, known, parts)


def build_receipt(sync: Sync) -> dict[str, Any] | None:
    """The receipt of a sync that wrote all five tables; None if it wrote only some of them.

    Raises `GoalsGuardError` if the goals listed are not the sum of what became of them, or if a step read other rows
    than the one before it wrote.
    """
    tables = sync.counts.get("tables", {})
    if not set(SLICE_TABLES) <= set(tables):
        return None
    notes = {table: tables[table]["notes"] for table in SLICE_TABLES}
    if "listed" not in notes[_RAW] or any(count not in notes[reader] for _, reader, count in _HANDOVERS):
        return None  # written by something that did not count
    listed, walked = notes[_RAW], notes[_SUBGOALS]
    goals = {
        "pages": listed["list_pages"],
        "listed": listed["listed"],
        "owned": tables[_OWNED]["rows"],
        **{part: notes[_OWNED][part] for part in ("beyond_cap", "ownerless", "strangers")},
        "erased": listed["erased"],
        "repeated": listed["repeated_goals"],
    }
    for writer, reader, count in _HANDOVERS:
        if tables[writer]["rows"] != notes[reader][count]:
            problem = f"{tables[writer]['rows']} rows of {writer} were written and {reader} read {notes[reader][count]}"
            raise _unbalanced(_BLOCKS, problem)
    _require_sum(_BLOCKS, "listed", goals, GOAL_PARTS)
    but_for = _missing(walked, notes[_BLOCKS])
    return {
        "connection": sync.connection,
        "run_id": sync.run_id,
        "synced_at": sync.synced_at.isoformat(),
        "started_at": sync.started_at.isoformat(),
        "finished_at": sync.finished_at.isoformat() if sync.finished_at else None,
        "seconds": (sync.finished_at - sync.started_at).total_seconds() if sync.finished_at else None,
        "result": "complete but for" if but_for else "complete",
        "but_for": but_for,
        "goals": goals,
        "lists": {
            **{name: walked[f"lists_{name}"] for name in ("walked", "read")},
            **{name: walked[name] for name in (*_REFUSED, "hidden_subgoals")},
        },
        "tables": {name: {"rows": tables[name]["rows"], "sha256": notes[name]["sha256"]} for name in SLICE_TABLES},
        "requests": sync.requests,
        "rejected": sync.throttled,
        "route": sync.subgoal_route,
    }


def _missing(walked: Mapping[str, Any], blocks: Mapping[str, Any]) -> dict[str, Any]:
    """What the blocks lack, by kind: how many, and which."""
    kinds = {
        "employees_truncated": blocks["truncated_blocks"],
        "employees_unmapped": blocks["unmapped"],
        "lists_refused": walked["refused"],
        "subgoals_hidden": walked["hidden"],
    }
    return {kind: {"count": len(ids), "ids": ids[:IDS_LISTED]} for kind, ids in kinds.items() if ids}


def _require_sum(table: str, total: str, counts: Mapping[str, int], parts: Sequence[str]) -> None:
    found = sum(counts[part] for part in parts)
    if found != counts[total]:
        addends = " + ".join(f"{part} {counts[part]}" for part in parts)
        raise _unbalanced(table, f"{addends} is {found}, but {total} is {counts[total]}")


def _unbalanced(table: str, problem: str) -> GoalsGuardError:
    # The class of what refuses to replace good rows. As an unexpected error it would be shown without the counts.
    return GoalsGuardError(
        f"{table} was not written, because the sync's counts do not add up: {problem}; the old rows stand",
        action="Run the whole sync again; if the error stays, it is a defect of the program: report it",
    )


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
