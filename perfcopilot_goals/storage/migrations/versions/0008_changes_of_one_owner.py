"""A change of status is of one owner: a goal that got another owner at the same time changed nobody's status."""

from alembic import op

revision = "0008"
down_revision = "0007"

VIEW = """
create or replace view perfcopilot_goals.status_changes as
select connection, employee_id, goal_gid, row_gid, kind, name, status_before, status, status_type_before, status_type,
    visible_from as changed_at
from (
    select *, lag(status) over history as status_before, lag(status_type) over history as status_type_before,
        lag(employee_id) over history as employee_before
    from perfcopilot_goals.goal_versions
    window history as (partition by connection, goal_gid, row_gid order by visible_from)
) versions
where status <> status_before and employee_id = employee_before;
"""


def upgrade() -> None:
    """Replace the view. Its columns and rights stay."""
    op.execute(VIEW)
