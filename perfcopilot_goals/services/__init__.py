"""What the product does, one module per use case: plain functions over a database, an Asana client and a clock.

No click, no Dagster, no HTML: whatever any front offers, it offers by way of these. Decisions are in `core`.
"""
