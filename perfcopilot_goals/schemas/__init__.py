"""The tables, each declared once.

`models` declares them; `tables` derives the rest. `lineage` says which columns a column comes from.
`dictionary` writes `docs/tables.md`.
"""

# The schema of Postgres that they are in.
SCHEMA = "perfcopilot_goals"
