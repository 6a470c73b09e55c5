"""Which columns each column comes from, for the catalog's column lineage.

Columns that Asana sends are not here, nor the three that every slice has. A test checks that every name is a column,
and that every other column has an entry.
"""

from collections.abc import Mapping

RAW, OWNED, SUBGOALS, ROWS = "raw_workspace_goals", "owned_goals", "subgoals", "mapped_goal_rows"


def _same(names: str, *tables: str) -> dict[str, tuple[tuple[str, str], ...]]:
    return {name: tuple((table, name) for table in tables) for name in names.split()}


_OWNER = ((RAW, "owner_gid"), ("employees", "asana_user_gid"))
_OWNERS_GOALS = ((RAW, "owner_gid"), (RAW, "goal_gid"))
_LINES = tuple((ROWS, name) for name in ("kind", "position", "name", "status"))

# table -> column -> (table, column) of what it comes from
SOURCES: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = {
    RAW: {"html_notes_chars": ((RAW, "html_notes"),)},
    OWNED: {
        **_same("goal_gid name due_on start_on status_type", RAW),
        "employee_id": (("employees", "employee_id"), *_OWNER),
        "owned_rank": ((RAW, "position"), (RAW, "owner_gid")),
        "owned_total": _OWNERS_GOALS,
        "truncated": _OWNERS_GOALS,
        "description": ((RAW, "html_notes"),),
    },
    SUBGOALS: _same("goal_gid", OWNED),
    ROWS: {
        **_same("goal_gid name start_on due_on status_type", OWNED, SUBGOALS),
        **_same("employee_id description", OWNED),
        "row_gid": ((OWNED, "goal_gid"), (SUBGOALS, "subgoal_gid")),
        "kind": ((OWNED, "goal_gid"), (SUBGOALS, "subgoal_gid")),
        "position": ((OWNED, "owned_rank"), (SUBGOALS, "position")),
        "status": ((OWNED, "status_type"), (SUBGOALS, "status_type")),
    },
    "prompt_blocks": {
        "employee_id": (("employees", "employee_id"), (ROWS, "employee_id")),
        "block": (*_LINES, (OWNED, "owned_total")),
        "goals_owned": ((OWNED, "owned_total"),),
        "goals_listed": ((ROWS, "kind"),),
        "key_results_listed": ((ROWS, "kind"),),
        "truncated": ((OWNED, "owned_total"), (ROWS, "kind")),
        "reason": ((OWNED, "owned_total"), ("employees", "asana_gone_at")),
        "citations": ((ROWS, "goal_gid"), (ROWS, "row_gid"), (ROWS, "kind"), (ROWS, "position")),
    },
}
