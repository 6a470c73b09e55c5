"""Who was erased and must not come back, and a view for those who count.

`goal_counts` is read with its owner's rights, as all views are by default. Read with the reader's rights
(`security_invoker`, Postgres 15), it would need a grant to the analyst on the columns below it. Those hold employees'
ids, row by row, which is more than the view shows.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
create table perfcopilot_goals.erased (
    -- No reference to `connections`: a workspace that is removed and connected again must not bring anybody back.
    connection text not null,
    kind text not null check (kind in ('employee_id', 'asana_user_gid', 'email')),
    digest text not null,
    erased_at timestamptz not null,
    primary key (connection, kind, digest)
);

create table perfcopilot_goals.erasure_keys (
    connection text primary key,
    key text not null
);

create view perfcopilot_goals.goal_counts as
select connection, kind, status, count(*) as goals, count(distinct employee_id) as employees,
    max(synced_at) as synced_at
from perfcopilot_goals.mapped_goal_rows
group by connection, kind, status;
"""


def upgrade() -> None:
    """Create them."""
    op.execute(TABLES)
