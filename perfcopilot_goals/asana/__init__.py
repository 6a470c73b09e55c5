"""Asana over HTTP: requests, pacing, the list of goals and the walk over their sub-goals.

Responses leave here as JSON objects; `core` decides what a field means. No table, no pandas, no Dagster.
"""
