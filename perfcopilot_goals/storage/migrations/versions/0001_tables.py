"""The tables and the application's views.

Written out rather than derived from the models, so that this step stays the same when the models change.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
create table perfcopilot_goals.connections (
    connection text primary key,
    workspace_gid text,
    token_ref text not null,
    base_url text not null,
    requests_per_minute integer not null,
    subgoal_route text not null,
    enabled boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table perfcopilot_goals.employees (
    connection text not null references perfcopilot_goals.connections on delete cascade,
    employee_id text not null,
    full_name text not null,
    email text not null,
    asana_user_gid text,
    updated_at timestamptz not null,
    primary key (connection, employee_id),
    -- Deferred, so that one import may swap two employees' Asana users.
    constraint employees_asana_user_gid_key unique (connection, asana_user_gid) deferrable initially deferred
);

create table perfcopilot_goals.raw_workspace_goals (
    connection text not null,
    synced_at timestamptz not null,
    run_id text not null,
    goal_gid text not null,
    position integer not null,
    name text not null,
    owner_gid text,
    html_notes text,
    html_notes_chars integer,
    due_on date,
    start_on date,
    status_type text,
    asana_status text,
    primary key (connection, goal_gid)
);

create table perfcopilot_goals.owned_goals (
    connection text not null,
    synced_at timestamptz not null,
    run_id text not null,
    goal_gid text not null,
    employee_id text not null,
    owned_rank integer not null,
    owned_total integer not null,
    truncated boolean not null,
    name text not null,
    description text,
    due_on date,
    start_on date,
    status_type text,
    primary key (connection, goal_gid)
);

create table perfcopilot_goals.subgoals (
    connection text not null,
    synced_at timestamptz not null,
    run_id text not null,
    goal_gid text not null,
    subgoal_gid text not null,
    position integer not null,
    name text not null,
    owner_gid text,
    due_on date,
    start_on date,
    status_type text,
    primary key (connection, goal_gid, subgoal_gid)
);

create table perfcopilot_goals.mapped_goal_rows (
    connection text not null,
    synced_at timestamptz not null,
    run_id text not null,
    goal_gid text not null,
    row_gid text not null,
    employee_id text not null,
    kind text not null,
    position integer not null,
    name text not null,
    description text,
    start_on date,
    due_on date,
    status_type text,
    status text not null,
    primary key (connection, goal_gid, row_gid)
);

create table perfcopilot_goals.prompt_blocks (
    connection text not null,
    synced_at timestamptz not null,
    run_id text not null,
    employee_id text not null,
    block text not null,
    goals_owned integer not null,
    goals_listed integer not null,
    key_results_listed integer not null,
    truncated boolean not null,
    citations jsonb not null,
    primary key (connection, employee_id)
);

create table perfcopilot_goals.syncs (
    connection text not null,
    run_id text not null,
    synced_at timestamptz not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    state text not null check (state in ('running', 'complete', 'failed')),
    error_code text,
    requests integer not null default 0,
    throttled integer not null default 0,
    subgoal_route text,
    counts jsonb not null default '{}',
    primary key (connection, run_id)
);
create index syncs_by_moment on perfcopilot_goals.syncs (connection, synced_at desc);

create view perfcopilot_goals.goals as
select connection, employee_id, goal_gid, position, name, description, start_on, due_on, status_type, status,
    synced_at, run_id
from perfcopilot_goals.mapped_goal_rows
where kind = 'goal';

create view perfcopilot_goals.goal_key_results as
select connection, employee_id, goal_gid, row_gid as key_result_gid, position, name, start_on, due_on, status_type,
    status, synced_at, run_id
from perfcopilot_goals.mapped_goal_rows
where kind = 'key_result';
"""


def upgrade() -> None:
    """Create everything; the schema itself is there already."""
    op.execute(TABLES)
