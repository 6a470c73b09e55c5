"""Limits of the product and of Asana's API that more than one room needs."""

GOALS_PER_EMPLOYEE = 200
DESCRIPTION_CHARS = 1_000
# What a connection may be set to. More than a thousand a second no token is allowed and no process sends.
REQUESTS_PER_MINUTE = range(1, 60_001)
