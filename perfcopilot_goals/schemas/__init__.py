"""The tables, each declared once.

`models` declares them; `tables` and `sql_tables` derive from the declaration.
"""

# The schema of Postgres that they are in.
SCHEMA = "perfcopilot_goals"
