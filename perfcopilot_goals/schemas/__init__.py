"""The tables, each declared once.

`models` declares them, `tables` derives from the declaration, `rows` has what is needed of them without pandas.
"""
