"""Plain types and limits that most rooms import.

No pandas, SQL, HTTP or Dagster, so that a small command starts at once.
"""
