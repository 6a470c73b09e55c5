"""The pandera models, one per table.

A model's docstring is the table's grain, and `Config.unique` its primary key. A column has a type, a description and
whether it may be null. If Asana is its source, it also has the path of Asana's field. Add a new column here and in a
migration; a test compares the two.
"""

from typing import Annotated, Any

import pandas as pd
import pandera.pandas as pa
from pandera.engines import pandas_engine
from pandera.typing import Series

from perfcopilot_goals.domain.audit import AUDIT_ACTIONS
from perfcopilot_goals.domain.block import BLOCK_REASONS, KINDS, STATUSES
from perfcopilot_goals.domain.connection import SUBGOAL_ROUTES
from perfcopilot_goals.domain.employee import ERASED_KINDS, MAPPING_CONFLICTS
from perfcopilot_goals.domain.ids import GID_PATTERN
from perfcopilot_goals.domain.limits import DESCRIPTION_CHARS, GOALS_PER_EMPLOYEE
from perfcopilot_goals.domain.sync import SYNC_STATES

_CONNECTION = r"\A[a-z0-9][a-z0-9_-]{0,62}\Z"

# Python strings or None in a column of objects. pandas' own type of text would turn None into NaN.
Text = pandas_engine.NpString
Instant = Annotated[pd.DatetimeTZDtype, "us", "UTC"]


def _gid(description: str, *, nullable: bool = False, asana: str | None = None) -> Any:
    return pa.Field(str_matches=GID_PATTERN, nullable=nullable, description=description, metadata={"asana": asana})


def _field(description: str, *, asana: str | None = None, nullable: bool = False, **checks: Any) -> Any:
    return pa.Field(description=description, nullable=nullable, metadata={"asana": asana}, **checks)


class _Connected(pa.DataFrameModel):
    connection: Series[Text] = _field("Slug of the connection; the partition key.", str_matches=_CONNECTION)

    class Config:
        strict = True
        unique_column_names = True


class _Slice(_Connected):
    synced_at: Series[Instant] = _field("When the sync's fetch began; the same in all five tables of a sync.")
    run_id: Series[Text] = _field("Dagster's id of the run that wrote the row.")


class RawWorkspaceGoals(_Slice):
    """One row per goal of the workspace that the token can see."""

    goal_gid: Series[Text] = _gid("Asana's id of the goal.", asana="gid")
    position: Series[int] = _field("Place in Asana's list, from 0.", ge=0)
    name: Series[Text] = _field("The goal's name as Asana gave it.", asana="name")
    owner_gid: Series[Text] = _gid("Asana's id of the owner; null where nobody owns it.", nullable=True, asana="owner")
    html_notes: Series[Text] = _field(
        f"The first {DESCRIPTION_CHARS:,} characters of the description.",
        asana="html_notes",
        nullable=True,
        str_length={"max_value": DESCRIPTION_CHARS},
    )
    html_notes_chars: Series[pd.Int64Dtype] = _field("Characters of the whole description.", nullable=True, ge=0)
    due_on: Series[pandas_engine.Date] = _field("Due date.", nullable=True, asana="due_on")
    start_on: Series[pandas_engine.Date] = _field("Start date.", nullable=True, asana="start_on")
    status_type: Series[Text] = _field(
        "Raw status word of the latest posted update; null where there is none.",
        nullable=True,
        asana="current_status_update.status_type",
    )
    asana_status: Series[Text] = _field("Raw word of Asana's separate `status` field.", nullable=True, asana="status")

    class Config:
        unique = ["connection", "goal_gid"]


class OwnedGoals(_Slice):
    """One row per goal that a mapped employee owns: the first 200 per employee, in the order of Asana's list."""

    goal_gid: Series[Text] = _gid("Asana's id of the goal.")
    employee_id: Series[Text] = _field("The employee who owns it.")
    owned_rank: Series[int] = _field("Place among the employee's goals, from 1.", ge=1, le=GOALS_PER_EMPLOYEE)
    owned_total: Series[int] = _field("How many goals the employee owns, including those beyond the cap.", ge=1)
    truncated: Series[bool] = _field(f"Whether the employee owns more than {GOALS_PER_EMPLOYEE} goals.")
    name: Series[Text] = _field("The goal's name as Asana gave it.")
    description: Series[Text] = _field(
        f"The first {DESCRIPTION_CHARS:,} characters of the description (`html_notes`).",
        nullable=True,
        str_length={"max_value": DESCRIPTION_CHARS},
    )
    due_on: Series[pandas_engine.Date] = _field("Due date.", nullable=True)
    start_on: Series[pandas_engine.Date] = _field("Start date.", nullable=True)
    status_type: Series[Text] = _field("Raw status word of the latest posted update.", nullable=True)

    class Config:
        unique = ["connection", "goal_gid"]


class Subgoals(_Slice):
    """One row per sub-goal of an owned goal; a sub-goal with two owned parents has two rows."""

    goal_gid: Series[Text] = _gid("Asana's id of the parent, an owned goal.")
    subgoal_gid: Series[Text] = _gid("Asana's id of the sub-goal.", asana="gid")
    position: Series[int] = _field("Place in Asana's list of the parent's sub-goals, from 0.", ge=0)
    name: Series[Text] = _field("The sub-goal's name as Asana gave it.", asana="name")
    owner_gid: Series[Text] = _gid(
        "Asana's id of the sub-goal's owner, who need not own the parent.", nullable=True, asana="owner"
    )
    due_on: Series[pandas_engine.Date] = _field("Due date.", nullable=True, asana="due_on")
    start_on: Series[pandas_engine.Date] = _field("Start date.", nullable=True, asana="start_on")
    status_type: Series[Text] = _field(
        "Raw status word of the latest posted update.", nullable=True, asana="current_status_update.status_type"
    )

    class Config:
        unique = ["connection", "goal_gid", "subgoal_gid"]


class MappedGoalRows(_Slice):
    """One row per goal or key result, as PerfCopilot uses it."""

    goal_gid: Series[Text] = _gid("Asana's id of the goal; for a key result, of its parent.")
    row_gid: Series[Text] = _gid("Asana's id of the goal or sub-goal itself.")
    employee_id: Series[Text] = _field("The employee who owns the goal.")
    kind: Series[Text] = _field("`goal` or `key_result`.", isin=KINDS)
    position: Series[int] = _field("Place among the employee's rows, from 0; key results follow their goal.", ge=0)
    name: Series[Text] = _field("The name as Asana gave it.")
    description: Series[Text] = _field(
        "The description; only goals have one.", nullable=True, str_length={"max_value": DESCRIPTION_CHARS}
    )
    start_on: Series[pandas_engine.Date] = _field("Start date.", nullable=True)
    due_on: Series[pandas_engine.Date] = _field("Due date.", nullable=True)
    status_type: Series[Text] = _field("Asana's raw status word.", nullable=True)
    status: Series[Text] = _field("The status that reviews use.", isin=STATUSES)

    class Config:
        unique = ["connection", "goal_gid", "row_gid"]


class PromptBlocks(_Slice):
    """One row per mapped employee, with or without goals: the `[GOALS]` block of their review's prompt."""

    employee_id: Series[Text] = _field("The employee under review.")
    block: Series[Text] = _field("The block; line feeds join its lines, and none ends it.")
    goals_owned: Series[int] = _field("Goals the employee owns, including those beyond the cap.", ge=0)
    goals_listed: Series[int] = _field("Goals in the block.", ge=0, le=GOALS_PER_EMPLOYEE)
    key_results_listed: Series[int] = _field("Key results in the block.", ge=0)
    truncated: Series[bool] = _field("Whether goals are missing from the block because of the cap.")
    citations: Series[object] = _field(
        "For each goal or key-result line: `line` (from 1), `goal_gid`, `key_result_gid`."
    )
    reason: Series[Text] = _field(
        "Why the block is as it is: `ok` or `truncated`; if it is empty, `owns_no_goals`, `had_goals_before` (an "
        "earlier block had some) or `asana_user_gone`.",
        isin=BLOCK_REASONS,
    )

    class Config:
        unique = ["connection", "employee_id"]


class _Version(_Connected):
    visible_from: Series[Instant] = _field("When readers first got it, by the database's clock.")
    visible_to: Series[Instant] = _field("When readers got it no longer; null for the present version.", nullable=True)
    first_synced_at: Series[Instant] = _field("`synced_at` of the first sync that brought it.")
    last_synced_at: Series[Instant] = _field("`synced_at` of the last sync that brought it, unchanged.")
    run_id: Series[Text] = _field("Dagster's id of the run that first wrote it.")


class BlockVersions(_Version):
    """One row per state that an employee's block has been in; the open one equals the row of `prompt_blocks`."""

    employee_id: Series[Text] = _field("The employee under review.")
    block: Series[Text] = _field("The block, byte for byte.")
    citations: Series[object] = _field("Which goal each line is about, as in `prompt_blocks`.")
    goals_owned: Series[int] = _field("Goals the employee owned, including those beyond the cap.", ge=0)
    goals_listed: Series[int] = _field("Goals in the block.", ge=0, le=GOALS_PER_EMPLOYEE)
    key_results_listed: Series[int] = _field("Key results in the block.", ge=0)
    truncated: Series[bool] = _field("Whether goals were missing from the block because of the cap.")
    reason: Series[Text] = _field("Why the block was as it was, as in `prompt_blocks`.", isin=BLOCK_REASONS)
    sha256: Series[Text] = _field("SHA-256 of the block in UTF-8, in hexadecimal.", str_matches=r"\A[0-9a-f]{64}\Z")

    class Config:
        unique = ["connection", "employee_id", "visible_from"]


class GoalVersions(_Version):
    """One row per state that a goal or key result has been in; the open one fits the row of `mapped_goal_rows`."""

    goal_gid: Series[Text] = _gid("Asana's id of the goal; for a key result, of its parent.")
    row_gid: Series[Text] = _gid("Asana's id of the goal or sub-goal itself.")
    employee_id: Series[Text] = _field("The employee who owned the goal.")
    kind: Series[Text] = _field("`goal` or `key_result`.", isin=KINDS)
    name: Series[Text] = _field("The name as Asana gave it.")
    start_on: Series[pandas_engine.Date] = _field("Start date.", nullable=True)
    due_on: Series[pandas_engine.Date] = _field("Due date.", nullable=True)
    status_type: Series[Text] = _field("Asana's raw status word.", nullable=True)
    status: Series[Text] = _field("The status that reviews use.", isin=STATUSES)

    class Config:
        unique = ["connection", "goal_gid", "row_gid", "visible_from"]


class Connections(_Connected):
    """One row per connection: an Asana workspace that is synced with one token."""

    workspace_gid: Series[Text] = _gid("The workspace's id in Asana; until it is set, a sync fails.", nullable=True)
    token_ref: Series[Text] = _field("Where the token is: `env:NAME` or `file:/path`. Never the token.")
    base_url: Series[Text] = _field("Root of the API.")
    requests_per_minute: Series[int] = _field("The token's limit: 1,500 on paid plans, 150 on free ones.", ge=1)
    subgoal_route: Series[Text] = _field("`auto`, `subgoals` or `goal_relationships`.", isin=SUBGOAL_ROUTES)
    enabled: Series[bool] = _field("Whether it is synced on schedule.")
    created_at: Series[Instant] = _field("When it was added.")
    updated_at: Series[Instant] = _field("When a setting last changed.")
    check_users: Series[bool] = _field("Whether a sync compares the mapping with Asana's users once a day.")
    users_checked_at: Series[Instant] = _field(
        "When the mapping was last compared with Asana's users; null if it never was, or not since the workspace "
        "changed or somebody was erased.",
        nullable=True,
    )
    users_seen: Series[pd.Int64Dtype] = _field("How many users Asana listed then.", nullable=True, ge=0)

    class Config:
        unique = ["connection"]


class Employees(_Connected):
    """One row per employee of a connection's roster."""

    employee_id: Series[Text] = _field("The company's own id of the person.")
    full_name: Series[Text] = _field("Name, for people to read; never used to match.")
    email: Series[Text] = _field("E-mail address.")
    asana_user_gid: Series[Text] = _gid(
        "The person's user id in Asana, once mapped; unique in a connection.", nullable=True
    )
    updated_at: Series[Instant] = _field("When the row last changed.")
    asana_gone_at: Series[Instant] = _field(
        "When the mapped user was first found missing from the workspace's users; null otherwise.",
        nullable=True,
    )
    mapping_conflict: Series[Text] = _field(
        "How the e-mails contradict the mapping, by the last comparison; null if they do not. "
        "`email_of_another_user`: the employee's e-mail is another Asana user's. `user_of_another_employee`: the "
        "Asana user's e-mail is another employee's. `both`: both of these.",
        nullable=True,
        isin=MAPPING_CONFLICTS,
    )
    manager_email: Series[Text] = _field("E-mail address of their manager, if the roster names one.", nullable=True)

    class Config:
        unique = ["connection", "employee_id"]


class RosterChanges(_Connected):
    """One row per connection that ever had a roster. A trigger writes it."""

    changed_at: Series[Instant] = _field("When an employee was last added, changed, mapped, unmapped or removed.")

    class Config:
        unique = ["connection"]


class Syncs(_Connected):
    """One row per sync: the sync log."""

    run_id: Series[Text] = _field("Dagster's id of the run.")
    synced_at: Series[Instant] = _field("When the sync's fetch began.")
    started_at: Series[Instant] = _field("When the run began; when it failed, if it failed before it began a sync.")
    finished_at: Series[Instant] = _field("When it ended; null while it runs.", nullable=True)
    state: Series[Text] = _field("`running`, `complete` or `failed`.", isin=SYNC_STATES)
    error_code: Series[Text] = _field("Class of the error that ended it.", nullable=True)
    requests: Series[int] = _field("Requests sent to Asana, including rejected and repeated ones.", ge=0)
    throttled: Series[int] = _field("Requests that Asana rejected with 429.", ge=0)
    subgoal_route: Series[Text] = _field("The route by which the sub-goals were read.", nullable=True)
    counts: Series[object] = _field("Counts of the sync, and for each written table its rows, time and inputs.")
    receipt: Series[object] = _field("What the sync listed, owned and left out, with digests.", nullable=True)

    class Config:
        unique = ["connection", "run_id"]


class Erased(_Connected):
    """One row per id of an erased person: a sync recognises them by it and does not store them again."""

    kind: Series[Text] = _field("`employee_id`, `asana_user_gid` or `email`.", isin=ERASED_KINDS)
    digest: Series[Text] = _field("HMAC-SHA-256 of connection, kind and id, in hexadecimal. Never the id.")
    erased_at: Series[Instant] = _field("When they were erased; a sync whose fetch began earlier does not write.")

    class Config:
        unique = ["connection", "kind", "digest"]


class ErasureKeys(_Connected):
    """One row per connection with an erased person: the key of its digests in `erased`."""

    key: Series[Text] = _field("256 random bits in hexadecimal.")

    class Config:
        unique = ["connection"]


class AuditLog(_Connected):
    """One row per change or look at a person's goals on the admin page."""

    entry: Series[int] = _field("Number of the entry; later ones have greater numbers.", ge=1)
    at: Series[Instant] = _field("When it was.")
    actor: Series[Text] = _field("E-mail address of who did it; `local` for whoever has the one-time link.")
    action: Series[Text] = _field("What they did.", isin=AUDIT_ACTIONS)
    subject: Series[object] = _field(
        "Ids of the employees whom it was about, as a list. Erased people, and those of a removed connection, are "
        "taken out of it."
    )

    class Config:
        unique = ["connection", "entry"]


# Every table. The five asset tables come first, in the order of the pipeline.
MODELS: dict[str, type[pa.DataFrameModel]] = {
    "raw_workspace_goals": RawWorkspaceGoals,
    "owned_goals": OwnedGoals,
    "subgoals": Subgoals,
    "mapped_goal_rows": MappedGoalRows,
    "prompt_blocks": PromptBlocks,
    "block_versions": BlockVersions,
    "goal_versions": GoalVersions,
    "connections": Connections,
    "employees": Employees,
    "roster_changes": RosterChanges,
    "syncs": Syncs,
    "erased": Erased,
    "erasure_keys": ErasureKeys,
    "audit_log": AuditLog,
}
