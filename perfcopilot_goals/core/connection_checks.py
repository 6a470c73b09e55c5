"""The checks over all connections: which of them work, which are stale, which are truncated; and the table of them.

A check without partitions shows its latest result, and these are the same whichever connection was synced last. The
table is Markdown for the check's page. The texts in it are ours, but a remedy may quote a path or a host that somebody
typed, so all of them are escaped.
"""

import datetime as dt
import html
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from perfcopilot_goals.core.checks import CheckResult, about_ids
from perfcopilot_goals.domain.actions import IMPORT, SET_WORKSPACE, SYNC
from perfcopilot_goals.domain.connection import ConnectionHealth, EndedRun
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE, STALE_AFTER
from perfcopilot_goals.domain.sync import INTERRUPTED
from perfcopilot_goals.errors import EXIT_CODES

# How many rows the table has at most. Dagster keeps each result of the check with its table.
ROWS_SHOWN = 100

FAILED, NO_ROSTER, NEVER, CHANGED = "failed", "no roster", "never synced", "workspace changed"
UNREAD, WORKS = "unread lists", "works"
# Broken first.
_ORDER = (FAILED, NO_ROSTER, NEVER, CHANGED, UNREAD, WORKS)


@dataclass(frozen=True)
class JudgedConnection:
    """One connection as the table shows it: which of `_ORDER` it is, in a word and with what to do."""

    health: ConnectionHealth
    kind: str
    problem: str
    action: str


def judge(connections: Iterable[ConnectionHealth]) -> list[JudgedConnection]:
    """Each connection with what is wrong and what to do, the broken ones first."""
    judged = [_judge(health) for health in connections]
    return sorted(judged, key=lambda one: (_ORDER.index(one.kind), one.health.connection))


def with_ended_runs(connections: Iterable[ConnectionHealth], ended: Collection[EndedRun]) -> list[ConnectionHealth]:
    """The connections, where a run that ended without a word counts as a failed sync if nothing later is known.

    A killed run leaves its sync `running` in the sync log, or never came to enter one.
    """
    latest = {run.connection: run for run in sorted(ended, key=lambda run: run.started_at)}
    return [_with_ended_run(health, latest.get(health.connection)) for health in connections]


def every_connection_works(judged: Sequence[JudgedConnection]) -> CheckResult:
    """Connections that failed, have no roster or no complete sync, have a former workspace's goals, or lack lists."""
    return about_ids([one.health.connection for one in judged if one.kind != WORKS])


def no_connection_is_stale(connections: Iterable[ConnectionHealth], now: dt.datetime) -> CheckResult:
    """Connections without a complete sync for `STALE_AFTER`, the limit in hours; one that has none is stale at once."""
    stale = [c.connection for c in connections if c.complete_at is None or now - c.complete_at > STALE_AFTER]
    return about_ids(stale, round(STALE_AFTER.total_seconds() / 3600))


def no_connection_is_truncated(truncated: Mapping[str, int]) -> CheckResult:
    """Connections with truncated blocks, each with how many employees; `truncated` is that number by connection."""
    found = [f"{connection}: {employees}" for connection, employees in truncated.items()]
    return about_ids(found, GOALS_PER_EMPLOYEE)


def count_judged(judged: Sequence[JudgedConnection]) -> dict[str, int]:
    """How many connections there are of each kind, and in all."""
    kinds = [one.kind for one in judged]
    return {
        "connections": len(kinds),
        "failed": kinds.count(FAILED),
        "without_roster": kinds.count(NO_ROSTER),
        "never_synced": kinds.count(NEVER),
        "with_changed_workspace": kinds.count(CHANGED),
        "with_unread_lists": kinds.count(UNREAD),
    }


def render_table(judged: Sequence[JudgedConnection], now: dt.datetime, runs_url: str) -> str:
    """The connections as a Markdown table of at most `ROWS_SHOWN` rows; `runs_url` with a run id is the run's page."""
    if not judged:
        return "No connection is enabled. Add one: `perfcopilot-goals connection add NAME`"
    lines = [
        "| connection | last complete | age | error or state | what to do | run |",
        "| --- | --- | ---: | --- | --- | --- |",
    ]
    for one in judged[:ROWS_SHOWN]:
        health = one.health
        complete = f"{health.complete_at:%Y-%m-%d %H:%M} UTC" if health.complete_at else "never"
        age = _age(now - health.complete_at) if health.complete_at else ""
        link = f"[{escape(health.run_id[:8])}]({runs_url}{health.run_id})" if health.run_id else ""
        cells = [escape(text) for text in (health.connection, complete, age, one.problem, one.action)]
        lines.append(f"| {' | '.join([*cells, link])} |")
    if len(judged) > ROWS_SHOWN:
        lines += ["", f"… and {len(judged) - ROWS_SHOWN:,} more: `perfcopilot-goals status`"]
    return "\n".join(lines)


def escape(text: str) -> str:
    """The text as Markdown shows it literally, in one line of a table."""
    line = html.escape(" ".join(text.split()), quote=False)
    # An underscore within a word emphasizes nothing; job names stay readable in the source.
    return re.sub(r"[\\`*\[\]|~$#!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", line)


def _judge(health: ConnectionHealth) -> JudgedConnection:
    def told(kind: str, problem: str, action: str) -> JudgedConnection:
        return JudgedConnection(health, kind, problem, action.replace("{connection}", health.connection))

    if health.state == "failed":
        return told(FAILED, health.error_code or INTERRUPTED, health.remedy or _remedy_of(health.error_code))
    if not health.has_roster:
        return told(NO_ROSTER, NO_ROSTER, f"Import one: {IMPORT}")
    is_running = health.state == "running"
    action = f"Sync it: {SYNC}" if health.has_workspace_gid else f"Set its workspace: {SET_WORKSPACE}"
    if is_running:
        action = "Wait until it has ended"
    if health.complete_at is None:
        return told(NEVER, "first sync is running" if is_running else NEVER, action)
    if health.workspace_changed:
        return told(CHANGED, "its goals are of the former workspace", action)
    if health.unread:
        problem = f"{health.unread:,} lists of sub-goals unread"
        return told(UNREAD, problem, "Sync it again; its check every_subgoal_list_was_read names the goals that stay")
    return told(WORKS, WORKS, "")


def _remedy_of(error_code: str | None) -> str:
    """What to do about an error that does not say it by itself."""
    if error_code in EXIT_CODES:
        return "The run's page has the error"
    if error_code == INTERRUPTED:
        return f"It was ended before it was done. Run it again: {SYNC}"
    return "An error of the program itself: the run's page says where. Report it"


def _with_ended_run(health: ConnectionHealth, run: EndedRun | None) -> ConnectionHealth:
    if run is None or (run.run_id == health.run_id and health.state != "running"):
        return health
    if run.run_id != health.run_id and health.started_at and health.started_at > run.started_at:
        return health
    return replace(health, run_id=run.run_id, state="failed", error_code=INTERRUPTED, remedy=None)


def _age(age: dt.timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} d"
