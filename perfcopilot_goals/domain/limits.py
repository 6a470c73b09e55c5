"""Limits of the product and of Asana's API that more than one room needs."""

import datetime as dt

GOALS_PER_EMPLOYEE = 200
# Objects in a page of Asana's lists; Asana takes no more.
PAGE_SIZE = 100
DESCRIPTION_CHARS = 1_000
# The rates that a connection may be set to. No token may send, and no process sends, over a thousand a second.
REQUESTS_PER_MINUTE = range(1, 60_001)
# How long closed versions of blocks and goals are kept, unless PERFCOPILOT_HISTORY_DAYS says otherwise.
HISTORY_DAYS = 400
# For how many days the sync log and Dagster's runs may be kept. The calendar begins some 740,000 days ago.
RETENTION_DAYS = range(1, 100_000)
# Older goals are stale. A day and a half: a daily sync may be late or fail once before anybody is called.
STALE_AFTER = dt.timedelta(hours=36)
# Of a file with a block in it. No review is larger.
LARGEST_FILE = 8 * 1024 * 1024
