"""The data dictionary, `docs/tables.md`, written from the models: `python -m perfcopilot_goals.schemas.dictionary`."""

from pathlib import Path

from perfcopilot_goals.schemas.tables import Table, tables

PAGE = Path("docs") / "tables.md"

_HEAD = """# The tables

Schema `perfcopilot_goals`. Written from the models by `make docs`; a test holds it to them and them to the database.
Ids are text. Names that end in `_at` are instants in UTC, in `_on` dates.

Beside the tables there are two views for the application over `mapped_goal_rows`: `goals` (its goals) and
`goal_key_results` (its key results, with `key_result_gid` for `row_gid`). A third, `goal_counts`, is for those who
count: per connection, `kind` and `status` the number of `goals` and of `employees`, without ids, names or descriptions.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(table) for table in tables().values())])


def _section(table: Table) -> str:
    lines = [f"## {table.name}", "", table.grain, "", f"Key: {', '.join(f'`{name}`' for name in table.key)}", ""]
    lines += ["| column | type | null | what it is |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.pg_type} | {'yes' if c.nullable else ''} | {c.description} |" for c in table.columns]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(render(), "utf-8")
