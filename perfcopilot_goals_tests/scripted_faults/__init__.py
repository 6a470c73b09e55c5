"""Scripted trouble for the stand-in Asana: what may come back instead of a good response, and when.

A fault is a function of the request and the regular response. It returns another `Response`, or `Raw` for a response
that breaks on the wire. `Script` decides when one fires.

    script = Script()
    script.on(status(503), path="/goals", times=2)                     # the first two lists
    script.on(status(401, "Not Authorized"), path="/goals", first=7)   # from the seventh page on
    script.on(status(404, "goal: Unknown object: 12"), when=asks_subgoals_of("12"))
    Sandbox(world, faults=script)

Add a fault to `answers` if it is a whole response, to `pages` if it changes what a list says, to `wire` if bytes or
time are wrong. If only one test uses it, write it there.
"""

from perfcopilot_goals_tests.scripted_faults.pages import (
    edit_rows,
    endless_pages,
    foreign_next_page,
    loop_offsets,
    repeat_last_row,
    short_pages,
)
from perfcopilot_goals_tests.scripted_faults.responses import (
    charset,
    closed,
    compressed,
    deep_json,
    edit,
    gzipped,
    header,
    html,
    in_turn,
    reply,
    slow,
    status,
    without,
)
from perfcopilot_goals_tests.scripted_faults.script import Script, asks_subgoals_of
from perfcopilot_goals_tests.scripted_faults.wire import (
    chunked_without_end,
    close_after,
    cut_body,
    cut_gzip,
    drip,
    gzip_bomb,
    hang_up,
    head_only,
    reset,
    silence,
)

__all__ = [
    "Script",
    "asks_subgoals_of",
    "charset",
    "chunked_without_end",
    "close_after",
    "closed",
    "compressed",
    "cut_body",
    "cut_gzip",
    "deep_json",
    "drip",
    "edit",
    "edit_rows",
    "endless_pages",
    "foreign_next_page",
    "gzip_bomb",
    "gzipped",
    "hang_up",
    "head_only",
    "header",
    "html",
    "in_turn",
    "loop_offsets",
    "repeat_last_row",
    "reply",
    "reset",
    "short_pages",
    "silence",
    "slow",
    "status",
    "without",
]
