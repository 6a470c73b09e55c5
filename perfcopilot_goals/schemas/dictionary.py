"""The data dictionary, `docs/tables.md`, written from the models: `python -m perfcopilot_goals.schemas.dictionary`."""

from pathlib import Path

from perfcopilot_goals.schemas.tables import TABLES, Table

PAGE = Path("docs") / "tables.md"

_HEAD = """# The tables

Schema `perfcopilot_goals`. `make docs` writes this page from the models. Tests hold the page and the database to them.
Ids are text. A name that ends in `_at` is an instant in UTC; one that ends in `_on` is a date.

There are also three views over `mapped_goal_rows`. Two are for the application: `goals` has the goals, and
`goal_key_results` the key results, with `key_result_gid` for `row_gid`. The third, `goal_counts`, is for analysts. It
has the number of `goals` and `employees` per connection, `kind` and `status`, without ids, names or descriptions.
A fourth view, `status_changes`, is over `goal_versions`: one row per change of a goal's or key result's status, with
the status before and after, Asana's words for them, and `changed_at`, when readers first got the new one.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(table) for table in TABLES.values())])


def _section(table: Table) -> str:
    lines = [f"## {table.name}", "", table.grain, "", f"Key: {', '.join(f'`{name}`' for name in table.key)}", ""]
    lines += ["| column | type | null | what it is |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.pg_type} | {'yes' if c.nullable else ''} | {c.description} |" for c in table.columns]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
