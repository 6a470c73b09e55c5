"""What was true when: versions of blocks and of goals, and a receipt for each sync.

The present rows become the first versions. Readers have had them since they were written, which the sync log knows; if
it does not, since now. `status_changes` is read with its owner's rights, for the reason given in 0003.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = """
create table perfcopilot_goals.block_versions (
    connection text not null,
    employee_id text not null,
    visible_from timestamptz not null,
    visible_to timestamptz check (visible_to > visible_from),
    block text not null,
    citations jsonb not null,
    goals_owned integer not null,
    goals_listed integer not null,
    key_results_listed integer not null,
    truncated boolean not null,
    reason text not null,
    sha256 text not null,
    first_synced_at timestamptz not null,
    last_synced_at timestamptz not null,
    run_id text not null,
    primary key (connection, employee_id, visible_from)
);
create unique index block_versions_open on perfcopilot_goals.block_versions (connection, employee_id)
    where visible_to is null;

create table perfcopilot_goals.goal_versions (
    connection text not null,
    goal_gid text not null,
    row_gid text not null,
    visible_from timestamptz not null,
    visible_to timestamptz check (visible_to > visible_from),
    employee_id text not null,
    kind text not null,
    name text not null,
    start_on date,
    due_on date,
    status_type text,
    status text not null,
    first_synced_at timestamptz not null,
    last_synced_at timestamptz not null,
    run_id text not null,
    primary key (connection, goal_gid, row_gid, visible_from)
)
-- Each sync moves `last_synced_at` of every open version. With room on its page, no index has to follow.
with (fillfactor = 50);
create unique index goal_versions_open on perfcopilot_goals.goal_versions (connection, goal_gid, row_gid)
    where visible_to is null;

-- For the latest moment of a connection, and for what is old enough to go.
create index block_versions_from on perfcopilot_goals.block_versions (connection, visible_from);
create index block_versions_to on perfcopilot_goals.block_versions (connection, visible_to);
create index goal_versions_from on perfcopilot_goals.goal_versions (connection, visible_from);
create index goal_versions_to on perfcopilot_goals.goal_versions (connection, visible_to);

create view perfcopilot_goals.status_changes as
select connection, employee_id, goal_gid, row_gid, kind, name, status_before, status, status_type_before, status_type,
    visible_from as changed_at
from (
    select *, lag(status) over history as status_before, lag(status_type) over history as status_type_before
    from perfcopilot_goals.goal_versions
    window history as (partition by connection, goal_gid, row_gid order by visible_from)
) versions
where status <> status_before;

alter table perfcopilot_goals.syncs add column receipt jsonb;
"""

VERSIONS = """
insert into perfcopilot_goals.block_versions (connection, employee_id, visible_from, block, citations, goals_owned,
    goals_listed, key_results_listed, truncated, reason, sha256, first_synced_at, last_synced_at, run_id)
select b.connection, employee_id,
    coalesce((s.counts #>> '{tables,prompt_blocks,written_at}')::timestamptz, statement_timestamp()),
    block, citations, goals_owned, goals_listed, key_results_listed, truncated, reason,
    encode(sha256(convert_to(block, 'UTF8')), 'hex'), b.synced_at, b.synced_at, b.run_id
from perfcopilot_goals.prompt_blocks b
left join perfcopilot_goals.syncs s on s.connection = b.connection and s.run_id = b.run_id;

insert into perfcopilot_goals.goal_versions (connection, goal_gid, row_gid, visible_from, employee_id, kind, name,
    start_on, due_on, status_type, status, first_synced_at, last_synced_at, run_id)
select r.connection, goal_gid, row_gid,
    coalesce((s.counts #>> '{tables,mapped_goal_rows,written_at}')::timestamptz, statement_timestamp()),
    employee_id, kind, name, start_on, due_on, status_type, status, r.synced_at, r.synced_at, r.run_id
from perfcopilot_goals.mapped_goal_rows r
left join perfcopilot_goals.syncs s on s.connection = r.connection and s.run_id = r.run_id;
"""


def upgrade() -> None:
    """Create the tables, and open a version of each present row."""
    op.execute(TABLES)
    op.execute(VERSIONS)
