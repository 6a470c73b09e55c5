"""What the product does, one module per use case: plain functions over a database, an Asana client and a clock.

No click, no Dagster, no HTML: every front calls these and does nothing to the database by itself. Decisions are in
`core`.
"""
