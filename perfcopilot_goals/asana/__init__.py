"""Asana over HTTP: requests, pacing, the list of goals and the walk over their sub-goals.

Answers leave here as JSON objects; what a field means is the business of `core`. No table, no pandas, no Dagster.
"""
