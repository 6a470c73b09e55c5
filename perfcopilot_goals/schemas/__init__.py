"""The tables, each declared once.

`models` declares them and `tables` derives the rest. `lineage` says which columns a column comes from. `dictionary`
writes `docs/tables.md`.
"""
