"""The receipt of a sync: what Asana listed, what became of it, and the equations that must hold before a write.

Each asset counts what it got and what it left out. `require_balance` compares these counts with the rows that are
about to be written. A sync that lost a goal on the way has a sum that is too small, so it writes nothing.
`build_receipt` puts the counts of the five tables together once the last of them is written.

A receipt has counts, gids and employee ids. It never has a goal's text or a person's name.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from perfcopilot_goals.core.checks import IDS_LISTED
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsGuardError

COMPLETE, COMPLETE_BUT_FOR = "complete", "complete but for"

_RAW, _OWNED, _SUBGOALS, _ROWS, _BLOCKS = SLICE_TABLES
# What a goal of Asana's list can be. A goal is exactly one of these.
GOAL_PARTS = ("owned", "beyond_cap", "ownerless", "strangers", "erased")
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
# A count that each asset notes. Without it, there is nothing to make a receipt of.
_COUNTED = {_RAW: "listed", _OWNED: "goals", _SUBGOALS: "lists_walked", _ROWS: "goals", _BLOCKS: "lines"}


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
    if any(name not in notes[table] for table, name in _COUNTED.items()):
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
        "result": COMPLETE_BUT_FOR if but_for else COMPLETE,
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
