"""Jobs for the people in the UI, who have no shell: look at a connection, set its workspace, match its employees.

Each runs one service for the connection that is the run's partition, and its log is the answer: GIDs, names of
workspaces, employee ids. Nobody's name, no goal's text. None of them can change where a token is sent.
"""

from collections import Counter

import dagster as dg
from pydantic import Field

from perfcopilot_goals.core.checks import IDS_LISTED
from perfcopilot_goals.core.prompts import safe_name
from perfcopilot_goals.core.suggestions import COLLISION, EXACT, HINT, NOTHING, Suggestion
from perfcopilot_goals.defs.assets import POOL
from perfcopilot_goals.defs.failures import as_failures, not_recorded
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.resources import AsanaResource
from perfcopilot_goals.domain.actions import INSPECT_JOB, MATCH_JOB, SET_JOB, SYNC_JOB
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.services.connections import ConnectionCheck, check_connection
from perfcopilot_goals.services.mapping import Suggested, suggest_mapping
from perfcopilot_goals.services.status import plan_sync
from perfcopilot_goals.services.workspace import needs_right
from perfcopilot_goals.services.workspace import set_workspace as change_workspace

NAMES = (INSPECT_JOB, SET_JOB, MATCH_JOB)


class WorkspaceConfig(dg.Config):
    """What to set; what is left out stays as it is."""

    # Empty and not None: the launchpad shows no field whose default is null, and shows this one with quotes to type in.
    workspace_gid: str = Field(
        default="",
        description="The workspace's GID in Asana, digits in quotes. The job inspect_connection lists the right ones.",
    )
    even_if_unseen: bool = Field(
        default=False,
        description="Set the GID without asking Asana, also if the connection's token does not see that workspace.",
    )
    enabled: bool | None = Field(
        default=None,
        description="Whether the connection is synced. A disabled one loses its partition in about a minute. "
        "To enable it again, add its partition by hand and run this job for it at once.",
    )


class MatchConfig(dg.Config):
    """Whether to map, or only to look."""

    apply: bool = Field(
        default=False,
        description="Map the exact matches: the same e-mail, unique in the roster and in Asana. Nothing else is ever "
        "mapped by this job.",
    )


@dg.op(pool=POOL)
def ask_asana(context: dg.OpExecutionContext, asana: AsanaResource) -> None:
    """Ask Asana about the token and the workspace, and log what it says."""
    name, store = context.partition_key, asana.store
    with as_failures(name, not_recorded):
        found = check_connection(
            store.database, store.settings, name, asks_goals=True, clock=asana.clock, on_wait=context.log.info
        )
        for line in _describe_check(found):
            context.log.info(line)
        if found.error:
            # The page of a run shows the end of its log, and a failure's stack hides the lines before it.
            seen = show_ids(list(found.identity.workspaces)) or "none"
            raise found.error.listing([f"the token sees these workspaces: {seen}"])
        plan = plan_sync(store.database, name)
        guess = " It was never synced, so the number of goals is not known." if plan.parts.is_guess else ""
        context.log.info(
            f"The next sync needs {plan.parts.requests:,} requests, {plan.seconds:,.0f} s at "
            f"{plan.requests_per_minute:,} requests a minute.{guess}"
        )


@dg.op(pool=POOL)
def change_connection(context: dg.OpExecutionContext, config: WorkspaceConfig, asana: AsanaResource) -> None:
    """Set the workspace's GID, or enable or disable the connection."""
    name, store = context.partition_key, asana.store
    with as_failures(name, not_recorded):
        after = change_workspace(
            store.database,
            store.settings,
            name,
            workspace_gid=config.workspace_gid,
            enabled=config.enabled,
            even_if_unseen=config.even_if_unseen,
            clock=asana.clock,
            on_wait=context.log.info,
        )
    state = "enabled" if after.enabled else "disabled, so it is not synced"
    context.log.info(f"{name}: workspace {after.workspace_gid or 'not set'}, {state}.")
    if after.enabled:
        context.log.info(
            "If its last sync failed because of a setting, fixed_connection_sensor syncs it within half a minute. "
            f"Otherwise launch the job {SYNC_JOB} for it."
        )


@dg.op(pool=POOL)
def match_users(context: dg.OpExecutionContext, config: MatchConfig, asana: AsanaResource) -> None:
    """Compare the unmapped employees with Asana's users, and map the exact matches if that was asked for."""
    name, store = context.partition_key, asana.store
    command = f"perfcopilot-goals employee suggest {name} --apply"
    with (
        as_failures(name, not_recorded),
        needs_right(MATCH_JOB, "map employees", command, "perfcopilot-goals grants --apply --mapping-by-loader"),
    ):
        done = suggest_mapping(
            store.database, store.settings, name, apply=config.apply, clock=asana.clock, on_wait=context.log.info
        )
    for line in _describe_matches(done, is_applied=config.apply):
        context.log.info(line)


def _job(name: str, op: dg.OpDefinition, description: str) -> dg.JobDefinition:
    """A job of one step for one connection."""
    return dg.GraphDefinition(name=name, node_defs=[op]).to_job(
        description=description, partitions_def=connections_partitions, executor_def=dg.in_process_executor
    )


inspect_connection = _job(
    INSPECT_JOB,
    ask_asana,
    "Use it when a connection fails or is new: asks Asana whose token it is, which workspaces it sees, "
    "whether the connection's workspace is one of them and has Goals, and how many requests the next sync needs. The "
    "run's log is the answer. Changes nothing.",
)
set_workspace = _job(
    SET_JOB,
    change_connection,
    "Use it when a connection has no workspace GID or a wrong one: sets the GID, after asking Asana "
    "whether the token sees that workspace. Also enables or disables the connection. fixed_connection_sensor then "
    "syncs it again within half a minute.",
)
match_employees = _job(
    MATCH_JOB,
    match_users,
    "Use it when every_employee_is_mapped names somebody: compares the e-mails of unmapped employees with "
    "those of Asana's users. The run's log has counts and ids. With apply it maps the exact matches, and only those.",
)
JOBS = [inspect_connection, set_workspace, match_employees]


def _describe_check(found: ConnectionCheck) -> list[str]:
    seen = found.identity.workspaces
    lines = [f"The token is that of Asana user {found.identity.user_gid}; it sees {len(seen)} workspaces."]
    for gid, workspace in seen.items():
        # An administrator of the workspace wrote the name.
        mark = " <- this connection" if gid == found.workspace_gid else ""
        lines.append(f"It sees workspace {gid} ({safe_name(workspace)}){mark}")
    if found.workspace == "not_set":
        lines.append(f"No workspace is set yet. Set one of these with the job {SET_JOB}.")
    if found.workspace == "not_listed":
        lines.append(
            f"Workspace {found.workspace_gid} answers, but is not among those that the token sees. If its user is no "
            f"member of it, goals are missing. To set another one: the job {SET_JOB}."
        )
    if found.goals_answer:
        lines.append(f"Goals answer in workspace {found.workspace_gid}.")
    return lines


def _describe_matches(done: Suggested, *, is_applied: bool) -> list[str]:
    counts = Counter(suggestion.kind for suggestion in done.suggestions)
    sure = f"{done.applied} mapped" if is_applied else f"{counts[EXACT]} exact, which apply: true maps"
    lines = [
        f"{len(done.suggestions)} employees were unmapped: {sure}; {counts[HINT]} hints, {counts[COLLISION]} "
        f"collisions, {counts[NOTHING]} not found among {done.seen.users} Asana users."
    ]
    lines += [_describe_match(suggestion) for suggestion in done.suggestions[:IDS_LISTED]]
    if more := len(done.suggestions) - IDS_LISTED:
        lines += [f"… and {more:,} more"] if more > 0 else []
    if done.seen.hidden_emails:
        lines.append(f"Asana does not show this token the e-mails of {done.seen.hidden_emails} users.")
    if done.seen.gone:
        lines.append(f"Mapped to users who are not in the workspace any more: {', '.join(done.seen.gone)}")
    if done.seen.conflicts:
        mapped = ", ".join(f"{conflict.employee_id} to {conflict.gid}" for conflict in done.seen.conflicts)
        lines.append(f"The e-mails say that these may be mapped to somebody else: {mapped}")
    if done.applied:
        lines.append(f"Launch the job {SYNC_JOB} for the connection, and their blocks are made.")
    return lines


def _describe_match(suggestion: Suggestion) -> str:
    user = f" Asana user {suggestion.gid}" if suggestion.gid else ""
    return f"{suggestion.employee_id}: {suggestion.kind}{user} ({suggestion.why})"
