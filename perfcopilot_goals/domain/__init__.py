"""Plain types and limits that every room may import.

No pandas, SQL, HTTP or Dagster, so that a small command starts at once.
"""
