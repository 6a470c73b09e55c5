"""Limits of the product and of Asana's API that more than one room needs."""

GOALS_PER_EMPLOYEE = 200
DESCRIPTION_CHARS = 1_000
